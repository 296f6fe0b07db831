/**
 * What the board offers and the service refuses is not shown: a button that only leads to an error misleads. Retry and Retry all
 * have the arrows that turn; every other action of a job, of a page and of a queue goes. The names of classes end in a hash that
 * changes with the version of the board; the parts before it are older than the hashes. A test looks for what is left over.
 */
const STYLE = `
[class*="jobActions-"] > li:not(:has(.lucide-refresh-cw)),
[class*="queueActions-"] > li:not(:has(.lucide-refresh-cw)),
button[class*="trigger-"]:has(.lucide-ellipsis-vertical),
[role="menuitem"]:has(> svg):not(:has(> .lucide-refresh-cw)):not([class*="subTrigger-"]):not([class*="subItem-"]),
[class*="editButton-"],
[class*="appVersion-"] { display: none !important; }
#open-task { position: fixed; z-index: 101; bottom: 0; left: 0; width: var(--menu-width, 16rem); box-sizing: border-box; padding: .75rem; display: flex; flex-direction: column; gap: .35rem; font-size: .8rem; color: var(--sidebar-foreground, inherit); }
#open-task input { font: inherit; color: inherit; background: transparent; border: 1px solid var(--sidebar-border, #8888); border-radius: .4rem; padding: .4rem .6rem; }
body[data-sidebar-collapsed="true"] #open-task { display: none; }
@media (max-width: 768px) { #open-task { display: none; } }
`;

/** A task is found by its own id: the board shows the id of its job. */
const FORM = '<form id="open-task" action="task"><label for="open-task-id">Open a task by its id</label><input id="open-task-id" name="id" required maxlength="1000" autocomplete="off" placeholder="order-1001"></form>';

/** The board's page as it is served here: without requests to other hosts, and without what is refused. */
export function ownBoardPage(html: string): string {
  return html
    .replace(/<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>/g, '')
    .replace('</head>', `<style>${STYLE}</style></head>`)
    .replace(/<body\b[^>]*>/, (body) => body + FORM);
}
