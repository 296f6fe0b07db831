import { chromium } from 'playwright-core';
const base='http://127.0.0.1:8090';
const browser=await chromium.launch({executablePath:'/usr/bin/chromium',headless:true,args:['--no-sandbox','--disable-gpu','--disable-quic','--no-first-run','--disable-background-networking','--disable-component-update','--disable-sync']});
const [,, ...jobs]=process.argv; // path=name[:scheme[:width]]
for (const j of jobs){ const [path,name,scheme='light',width='1440',act='']=j.split('|');
 const ctx=await browser.newContext({colorScheme:scheme,viewport:{width:Number(width),height:Number(width)<500?800:1000}});
 const page=await ctx.newPage(); page.on('console',m=>{if(['error','warning'].includes(m.type()))console.log(name,m.type(),m.text())}); page.on('pageerror',e=>console.log(name,'pageerror',e.message));
 await page.goto(base+path); await page.waitForTimeout(2500);
 if(act) { await eval('(async()=>{'+act+'})()'); await page.waitForTimeout(1500); }
 await page.screenshot({path:`/tmp/shots/${name}.png`,fullPage:Number(width)<500}); await ctx.close(); }
await browser.close();
