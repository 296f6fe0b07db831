/** The views of the page below /admin, by the last part of their addresses. The server answers at each, and the code in the browser shows it. */
export const pageViews = ['tasks', 'task', 'destinations', 'destination', 'failures', 'bulk-actions', 'bulk-action', 'audit'] as const;
