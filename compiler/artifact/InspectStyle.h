// How the page of inspect --html looks: system fonts, one accent, light and dark as the reader's
// system is set.
#pragma once

namespace coppice::inspect {

inline constexpr char kStyle[] = R"(:root {
  --paper: #fbfaf7; --card: #ffffff; --ink: #1f2421; --soft: #656d68; --line: #dcdfd8;
  --kept: #2f7d4f; --cut: #e9e6dd; --cutline: #c9c3b4; --kv: #c27a1a; --other: #8d958f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #141715; --card: #1c201d; --ink: #e6e9e4; --soft: #9aa39d; --line: #333a35;
    --kept: #57b37c; --cut: #262b27; --cutline: #56615a; --kv: #e0a24a; --other: #6f7a73;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 24px; max-width: 980px; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
}
h1 { margin: 0; font-size: 24px; overflow-wrap: anywhere; }
header p { margin: 2px 0 20px; color: var(--soft); }
h2 { margin: 0 0 6px; font-size: 17px; }
h3 { margin: 0; font-size: 13px; font-weight: 500; color: var(--soft); }
section:not(.tiles) {
  margin: 16px 0; padding: 16px 18px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 16px; }
.tile { padding: 14px 18px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.tile p { margin: 6px 0 0; color: var(--soft); font-size: 13px; }
.tile .big { margin: 2px 0 8px; color: var(--ink); font-size: 24px; font-variant-numeric: tabular-nums; }
.legend { margin: 0 0 8px; color: var(--soft); font-size: 13px; }
.legend b { display: inline-block; width: 12px; height: 12px; margin: 0 2px 0 8px; vertical-align: -1px; }
.legend b:first-child { margin-left: 0; }
.legend .kept { background: var(--kept); }
.legend .cut { background: var(--cut); border: 1px solid var(--cutline); }
.legend .other { background: var(--other); }
.legend .kv { height: 4px; vertical-align: 3px; background: var(--kv); }
.legend .kvcut { height: 4px; vertical-align: 3px; background: var(--cut); border: 1px solid var(--cutline); }
.scroll { overflow-x: auto; }
svg { display: block; }
svg text { fill: var(--soft); font-size: 12px; dominant-baseline: central; font-variant-numeric: tabular-nums; }
svg .layer { text-anchor: end; }
svg .kept { fill: var(--kept); }
svg .cut { fill: var(--cut); stroke: var(--cutline); }
svg .kv { fill: var(--kv); }
svg .kvcut { fill: var(--cut); stroke: var(--cutline); }
svg .share { fill: var(--other); }
.s1 { fill-opacity: 0.21; }
.s2 { fill-opacity: 0.31; }
.s3 { fill-opacity: 0.41; }
.s4 { fill-opacity: 0.50; }
.s5 { fill-opacity: 0.59; }
.s6 { fill-opacity: 0.69; }
.s7 { fill-opacity: 0.79; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { padding: 3px 12px 3px 0; text-align: left; font-weight: 500; white-space: nowrap; }
td { padding: 3px 12px 3px 0; color: var(--soft); }
.number { color: var(--ink); text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.wide { width: 34%; }
.total th, .total td { border-top: 1px solid var(--line); }
.facts th { width: 200px; color: var(--soft); vertical-align: top; }
.facts td { color: var(--ink); overflow-wrap: anywhere; }
.code { font: 12.5px/1.6 ui-monospace, "DejaVu Sans Mono", monospace; }
.bar { display: inline-block; width: 100%; min-width: 90px; height: 8px; background: var(--cut); border-radius: 4px; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--kept); }
.bar.other i { background: var(--other); }
footer { color: var(--soft); font-size: 12px; }
@media (max-width: 600px) {
  body { padding: 12px; }
  section:not(.tiles) { padding: 12px; }
  .wide { display: none; }
  th, td { padding-right: 8px; white-space: normal; overflow-wrap: anywhere; }
  th { overflow-wrap: normal; }
  .facts th { width: 110px; }
}
@media print { body { padding: 0; } section { break-inside: avoid; } * { print-color-adjust: exact; } }
)";

} // namespace coppice::inspect
