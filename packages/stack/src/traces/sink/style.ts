/** Follows the reader's choice of light or dark; a service has one hue on the whole page. */
export const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d9dde3, #33383f); --soft: light-dark(#5c6570, #9aa4b0);
  --bad: light-dark(#b3261e, #ff8a80); --lane: light-dark(#f4f6f8, #1c2026); }
* { box-sizing: border-box }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; color: light-dark(#1b1f24, #e6e9ed); background: light-dark(#fff, #14171b) }
main { max-width: 90rem; margin: 0 auto; padding: 1rem 1.25rem 4rem }
h1 { font-size: 1.35rem; margin: .25rem 0 } h3 { font-size: .85rem; margin: .8rem 0 .25rem }
a { color: light-dark(#0b57d0, #8ab4f8) } code { font-family: ui-monospace, monospace; font-size: .9em }
.soft, em { color: var(--soft); font-weight: normal } .bad { color: var(--bad); font-weight: 600 }
.back, .facts { margin: .25rem 0 } .facts code, .facts b { margin-right: .75rem }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem } .legend span { white-space: nowrap }
i { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .4em; background: hsl(var(--hue) 65% 52%) }
.waterfall { border: 1px solid var(--line); border-radius: 6px; overflow: hidden }
summary, .scale { display: grid; grid-template-columns: minmax(11rem, 36%) 1fr; align-items: center; list-style: none }
summary { cursor: pointer; border-top: 1px solid var(--line) } summary:hover, details[open] > summary { background: var(--lane) }
summary:focus-visible { outline: 2px solid light-dark(#0b57d0, #8ab4f8); outline-offset: -2px } summary::-webkit-details-marker { display: none }
.name { padding: .2rem .6rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.name::before { content: ''; display: inline-block; width: .6rem }
.lane { position: relative; height: 1.7rem; border-left: 1px solid var(--line);
  background: repeating-linear-gradient(to right, transparent 0 calc(25% - 1px), var(--line) calc(25% - 1px) 25%) }
.bar { position: absolute; top: .45rem; height: .8rem; border-radius: 2px; background: hsl(var(--hue) 65% 52%) }
.failed .bar { background: var(--bad) } .failed .name { color: var(--bad) }
.label { position: absolute; top: .2rem; font-size: .8rem; white-space: nowrap; font-variant-numeric: tabular-nums;
  padding: 0 .25rem; background: light-dark(#ffffffc0, #14171bc0) }
.ticks { display: flex; justify-content: space-between; padding: .15rem .3rem; color: var(--soft); font-size: .8rem }
.inside { padding: .25rem 1rem 1rem 1.6rem; border-left: 4px solid hsl(var(--hue) 65% 52%); background: var(--lane) }
.wide { overflow-x: auto } table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0 }
.inside th { font-weight: normal; color: var(--soft); white-space: nowrap } .inside td { word-break: break-word }
main > .wide td, main > .wide th { border-bottom: 1px solid var(--line); padding: .35rem 1rem .35rem 0 }
.number { text-align: right; font-variant-numeric: tabular-nums }
`
