// SPDX-License-Identifier: GPL-2.0-only

/** Light and dark, wide and narrow: for every page that we write. */
export const STYLE = `
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c62828; --look: #9a6700; --soft: #6e7781; --line: #d0d7de; --back: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --look: #d29922; --soft: #8b949e; --line: #30363d; --back: #161b22; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1rem; }
h1 { font-size: 1.35rem; margin: 0 0 .5rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.verdict { border-left: .4rem solid var(--soft); padding: .4rem .8rem; background: var(--back); }
.clean { border-color: var(--good); } .regressed, .infrastructure { border-color: var(--bad); } .not-exercised { border-color: var(--look); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } th { font-weight: 600; }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre { background: var(--back); overflow-x: auto; margin: .3rem 0; padding: .5rem; } code { overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } .look { color: var(--look); } .soft { color: var(--soft); }
.source span { display: block; white-space: pre; padding-left: .4rem; border-left: .3rem solid transparent; } .source .executed { border-color: var(--good); } .source .not-executed, .source .not-compiled { border-color: var(--bad); }
figure { margin: .6rem 0 1.4rem; } figcaption { font-weight: 600; } svg { width: 100%; min-width: 40rem; height: auto; } svg text { fill: currentColor; font: 11px ui-monospace, monospace; } svg .side { font-weight: 600; } svg .rule { stroke: var(--line); }
.op0 { fill: #0969da; } .op1 { fill: #bf8700; } .op2 { fill: #8250df; } .op3 { fill: #1a7f37; } .op4 { fill: #cf222e; } .op5 { fill: #0a7ea4; } .op6 { fill: #a04100; } .op7 { fill: #6e7781; }
svg.spark { width: auto; min-width: 0; } svg.spark .pass { fill: var(--good); } svg.spark .fail { fill: var(--bad); } svg.spark polyline { fill: none; stroke: currentColor; stroke-width: 1.5; } svg.spark circle { fill: var(--bad); }
`;
