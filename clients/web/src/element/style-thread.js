/** How a thread looks. Logical properties throughout, so that it can be read from right to left. */

import { THEME } from "./theme.js";

export const THREAD_STYLE = `${THEME}
.box{display:flex;flex-direction:column}
header{display:flex;align-items:center;gap:12px;padding:12px var(--space);border-block-end:1px solid var(--line)}
h2{font-size:16px;line-height:1.3;font-weight:600;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.about{font-size:13px;line-height:1.3;color:var(--muted)}
.about:empty,.alert:empty,.uploads:empty{display:none}
.main,.stage{position:relative;flex:1;min-block-size:0;display:flex;flex-direction:column}
.scroller{flex:1;overflow:hidden auto;overflow-anchor:none;overscroll-behavior:contain;position:relative;padding:0 var(--space);scrollbar-width:thin}
.scroller:focus-visible{outline-offset:-3px}
.scroller>div{min-block-size:100%;display:flex;flex-direction:column;justify-content:flex-end;padding-block:8px 4px;max-inline-size:880px;margin-inline:auto}
.above{text-align:center;color:var(--muted);font-size:13px;margin-block:auto;min-block-size:1px}
.day,.unread{display:flex;align-items:center;gap:12px;justify-content:center;margin-block:20px 12px;font-size:12px;font-weight:600;color:var(--muted)}
.unread{color:var(--danger)}
.unread::before,.unread::after{content:"";flex:1;block-size:1px;background:currentColor;opacity:.35}
.message{position:relative;display:flex;align-items:flex-start;gap:8px;margin-block-start:2px;scroll-margin-block:44px 12px;border-radius:12px}
.first{margin-block-start:12px}
.message:focus-visible{outline-offset:4px}
.own{justify-content:flex-end}
.message .avatar{inline-size:32px;block-size:32px;font-size:12px;position:absolute}
.many:not(.own,.system)>.body{margin-inline-start:40px}
.body{max-inline-size:min(78%,36rem);min-inline-size:0;display:flex;flex-direction:column;align-items:flex-start}
.own>.body{align-items:flex-end}
.name{font-size:13px;font-weight:600;color:var(--link)}
.body>.name{margin-block-end:3px}
.bubble{max-inline-size:100%;padding:7px 12px;border-radius:var(--radius);background:var(--soft);border-end-start-radius:6px}
.own .bubble{--link:var(--on-accent);--muted:var(--on-accent);color:var(--on-accent);background:var(--accent);border-end-start-radius:var(--radius);border-end-end-radius:6px}
.message:not(.first):not(.own) .bubble{border-start-start-radius:6px}
.message:not(.first).own .bubble{border-start-end-radius:6px}
.mention .bubble{box-shadow:inset 3px 0 var(--link)}
.mention .bubble:dir(rtl){box-shadow:inset -3px 0 var(--link)}
.text{white-space:pre-wrap;overflow-wrap:anywhere;display:flow-root}
.text a{color:var(--link);text-underline-offset:2px}
.deleted .text{font-style:italic;color:var(--muted)}
.message:is(.deleted,.big) .bubble{--muted:var(--muted0);--link:var(--link0);color:var(--text);background:none}
.deleted .bubble{box-shadow:inset 0 0 0 1px var(--line)}
.system{justify-content:center}
.system .bubble{background:none;color:var(--muted);font-size:13px;text-align:center}
.big .text{font-size:40px;line-height:1.2}
.big .bubble{padding-inline:4px}
.foot{float:inline-end;display:flex;gap:3px;align-items:center;margin-block-start:6px;margin-inline-start:10px;font-size:11px;line-height:16px;font-style:normal;color:var(--muted);white-space:pre;user-select:none}
.tick,.tick svg{display:flex;inline-size:15px;block-size:15px}
.own .read{color:#b8f5d0}
.own.big .read{color:var(--link)}
.quote{display:block;inline-size:100%;margin-block-end:4px;padding:3px 10px;border-inline-start:3px solid var(--link);border-radius:6px;background:color-mix(in srgb,currentColor 7%,transparent);font-size:13px}
.quote span,.quote bdi{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.files{display:flex;flex-wrap:wrap;gap:6px;margin-block-end:4px}
.picture{margin-inline:-6px;border-radius:12px;overflow:hidden;background:color-mix(in srgb,currentColor 8%,transparent);max-inline-size:calc(100% + 12px)}
.picture img{display:block;max-inline-size:100%;block-size:auto;min-block-size:40px;object-fit:cover}
.file{display:grid;grid-template-columns:auto 1fr;column-gap:10px;align-items:center;padding:8px 14px 8px 10px;border-radius:12px;background:color-mix(in srgb,currentColor 7%,transparent);overflow-wrap:anywhere}
.file svg{grid-row:1/3}
.file small{color:var(--muted)}
.chips{display:flex;flex-wrap:wrap;gap:4px;margin-block-start:4px}
.chip{display:flex;gap:5px;align-items:center;padding:2px 9px;min-block-size:26px;border-radius:13px;background:var(--soft);font-size:13px;border:1px solid transparent}
.chip b{font-weight:500;font-size:12px}
.chip[aria-pressed=true]{border-color:var(--link);color:var(--link)}
.chip:not(:disabled):hover{border-color:var(--muted)}
.failure{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:center;margin-block-start:4px;font-size:13px;color:var(--danger)}
.failure button{font-weight:600;text-decoration:underline;text-underline-offset:2px;min-block-size:24px}
.failed .bubble{opacity:.85}
.icon{display:grid;place-items:center;inline-size:36px;block-size:36px;flex:none;border-radius:50%;color:var(--muted)}
.icon:hover:not(:disabled){background:var(--soft);color:var(--text)}
.bar,.picker{background:var(--ground);border:1px solid var(--line);box-shadow:0 4px 16px #0002;z-index:2}
.main{container-type:inline-size}
.bar{flex:none;position:absolute;inset-block-start:-22px;inset-inline-start:0;display:flex;border-radius:18px;padding:1px}
.many .bar{inset-inline-start:40px}
.own .bar{inset-inline:auto 0}
.bar button{inline-size:32px;block-size:32px}
.bar .icon.sure{inline-size:auto;padding-inline:10px;border-radius:16px;font-size:13px;font-weight:600;color:var(--danger);white-space:nowrap}
.message:has(.picker){flex-direction:column}
.picker~.bar,.bar:has(~.picker){display:none}
.own:has(.picker){align-items:flex-end}
.picker{display:flex;flex-wrap:wrap;gap:2px;padding:6px;border-radius:18px;max-inline-size:min(100%,24rem)}
.many:not(.own) .picker{margin-inline-start:40px}
.emoji{inline-size:36px;block-size:36px;font-size:20px;border-radius:10px;text-align:center}
.emoji:hover{background:var(--soft)}
.picker input{flex:1;min-inline-size:8em;padding:4px 12px;border-radius:10px;background:var(--soft);font-size:14px}
::placeholder{color:var(--muted);opacity:1}
.found .bubble{animation:found 1.6s ease-out}
@keyframes found{0%,40%{box-shadow:0 0 0 3px var(--idle)}}
.pill,.banner{position:absolute;inset-inline:0;margin-inline:auto;inline-size:fit-content;z-index:3;display:flex;align-items:center;gap:8px;border-radius:20px;font-size:13px;font-weight:600;box-shadow:0 4px 16px #0003}
.pill{inset-block-end:12px;padding:9px;background:var(--ground);border:1px solid var(--line);margin-inline:auto var(--space)}
.pill.new{padding:7px 14px;color:var(--on-accent);background:var(--accent);border:0;margin-inline:auto}
.pill svg{inline-size:18px;block-size:18px}
.banner{inset-block-start:10px;padding:6px 14px;background:var(--text);color:var(--ground);animation:show .2s .8s both}
.banner.now{animation-delay:0s}
.banner button{text-decoration:underline;text-underline-offset:2px}
@keyframes show{from{opacity:0}}
.typing{block-size:22px;flex:none;padding-inline:calc(var(--space) + 4px);font-size:13px;line-height:22px;color:var(--muted);white-space:nowrap;overflow:hidden;text-overflow:ellipsis;inline-size:100%;max-inline-size:calc(880px + 2*var(--space));margin-inline:auto}
.alert{color:var(--danger);font-size:13px;padding:0 calc(var(--space) + 4px) 6px;overflow-wrap:anywhere}
.note{padding:14px;text-align:center;color:var(--muted);font-size:13px;border-block-start:1px solid var(--line)}
.composer{padding:0 12px max(12px,env(safe-area-inset-bottom));inline-size:100%;max-inline-size:calc(856px + 2*var(--space));margin-inline:auto}
.line{display:flex;align-items:flex-end;gap:4px;padding:4px;border:1px solid light-dark(#c9ced8,#3b414d);border-radius:24px}
.line:focus-within{border-color:var(--link);box-shadow:0 0 0 1px var(--link)}
textarea{flex:1;min-inline-size:0;padding:7px 4px;line-height:22px;min-block-size:36px;max-block-size:min(200px,40vh);resize:none;scrollbar-width:thin}
textarea:focus{outline:0}
.composer .send{background:var(--accent);color:var(--on-accent)}
.send:disabled,.icon:disabled{opacity:.4}
.mode{display:flex;gap:8px;align-items:center;padding:0 4px 6px}
.mode .quote{flex:1;min-inline-size:0;margin:0}
.uploads{display:flex;flex-wrap:wrap;gap:6px;padding-block-end:6px}
.uploads li{display:flex;flex-wrap:wrap;align-items:center;gap:8px;padding:4px 4px 4px 10px;border-radius:14px;background:var(--soft);font-size:13px;max-inline-size:100%}
.uploads bdi{max-inline-size:14em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.uploads img{inline-size:32px;block-size:32px;border-radius:8px;object-fit:cover;margin-inline-start:-4px}
.uploads .icon{inline-size:28px;block-size:28px}
progress{inline-size:64px;block-size:6px;accent-color:var(--accent)}
.dropping .line{border:2px dashed var(--link)}
dialog{margin:auto;padding:0;border:0;background:none;max-inline-size:96vw;max-block-size:96vh}
dialog::backdrop{background:#000c}
dialog img{display:block;max-inline-size:92vw;max-block-size:88vh;border-radius:8px;min-inline-size:120px;min-block-size:120px}
.tools{position:fixed;inset-block-start:12px;inset-inline-end:12px;display:flex;gap:8px}
.tools .icon{background:#000a;color:#fff}
@container(min-width:640px){.message .bar{position:static;align-self:center}.own .bar{order:-1}.bar:not(:hover,:focus-within){box-shadow:none}}
@media(hover:none){.bar button{inline-size:40px;block-size:40px}}
`;
