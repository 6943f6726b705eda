/** How a thread looks. Logical properties throughout, so that it can be read from right to left. */

export const THREAD_STYLE = `
.box{display:flex;flex-direction:column}
header{display:flex;align-items:center;gap:12px;padding:12px var(--_space);border-block-end:1px solid var(--_line)}
h2{font-size:16px;line-height:1.3;font-weight:600;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.about{font-size:13px;line-height:1.3;color:var(--_muted)}
.about:empty,.alert:empty{display:none}
.main,.stage{position:relative;flex:1;min-block-size:0;display:flex;flex-direction:column}
.scroller{flex:1;overflow:hidden auto;overflow-anchor:none;overscroll-behavior:contain;position:relative;padding:0 var(--_space);scrollbar-width:thin}
.scroller:focus-visible{outline-offset:-3px}
.scroller>div{min-block-size:100%;display:flex;flex-direction:column;justify-content:flex-end;padding-block:8px 4px;max-inline-size:880px;margin-inline:auto}
.above{text-align:center;color:var(--_muted);font-size:13px;margin-block:auto;min-block-size:1px}
.day,.unread{display:flex;align-items:center;gap:12px;justify-content:center;margin-block:20px 12px;font-size:12px;font-weight:600;color:var(--_muted)}
.unread{color:var(--_danger)}
.unread::before,.unread::after{content:"";flex:1;block-size:1px;background:currentColor;opacity:.35}
.message{position:relative;display:flex;align-items:flex-start;gap:8px;margin-block-start:2px;scroll-margin-block:44px 12px;border-radius:12px}
.first{margin-block-start:12px}
.message:focus-visible{outline-offset:4px}
.own{justify-content:flex-end}
.message .avatar{inline-size:32px;block-size:32px;font-size:12px;position:absolute}
.many:not(.own,.system)>.body{margin-inline-start:40px}
.body{max-inline-size:min(78%,36rem);min-inline-size:0;display:flex;flex-direction:column;align-items:flex-start}
.own>.body{align-items:flex-end}
.name{font-size:13px;font-weight:600;color:var(--_link)}
.body>.name{margin-block-end:3px}
.bubble{max-inline-size:100%;padding:7px 12px;border-radius:var(--_radius);background:var(--_soft);border-end-start-radius:6px}
.own .bubble{--_link:var(--_on-accent);--_muted:var(--_on-accent);color:var(--_on-accent);background:var(--_accent);border-end-start-radius:var(--_radius);border-end-end-radius:6px}
.message:not(.first):not(.own) .bubble{border-start-start-radius:6px}
.message:not(.first).own .bubble{border-start-end-radius:6px}
.mention .bubble{border-inline-start:3px solid var(--_link)}
.text{white-space:pre-wrap;overflow-wrap:anywhere;display:flow-root}
.text a{color:var(--_link);text-underline-offset:2px}
.deleted .text{font-style:italic;color:var(--_muted)}
.message:is(.deleted,.big) .bubble{--_muted:var(--_muted0);--_link:var(--_link0);color:var(--_text);background:none}
.deleted .bubble{box-shadow:inset 0 0 0 1px var(--_line)}
.system{justify-content:center}
.system .bubble{background:none;color:var(--_muted);font-size:13px;text-align:center}
.big .text{font-size:40px;line-height:1.2}
.big .bubble{padding-inline:4px}
.big .foot{margin-block-start:28px}
.foot{float:inline-end;display:flex;gap:3px;align-items:center;margin-block-start:6px;margin-inline-start:10px;font-size:11px;line-height:16px;font-style:normal;color:var(--_muted);white-space:pre;user-select:none}
.tick,.tick svg{display:flex;inline-size:15px;block-size:15px}
.own .read{color:#b8f5d0}
.own.big .read{color:var(--_link)}
.quote{display:block;inline-size:100%;margin-block-end:4px;padding:3px 10px;border-inline-start:3px solid var(--_link);border-radius:6px;background:color-mix(in srgb,currentColor 7%,transparent);font-size:13px}
.quote bdi{text-align:match-parent}
.quote span,.quote bdi{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.chips{display:flex;flex-wrap:wrap;gap:4px;margin-block:4px 6px}
.chip{display:flex;gap:5px;align-items:center;padding:2px 9px;min-block-size:26px;border-radius:13px;background:var(--_soft);font-size:13px;border:1px solid transparent}
.chip b{font-weight:500;font-size:12px}
.chip[aria-pressed=true]{border-color:var(--_link);color:var(--_link)}
.chip:not(:disabled):hover{border-color:var(--_muted)}
.failure{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:center;margin-block-start:4px;font-size:13px;color:var(--_danger)}
.failure button{font-weight:600;text-decoration:underline;text-underline-offset:2px;min-block-size:24px}
.failed .bubble{opacity:.85}
.icon{display:grid;place-items:center;inline-size:36px;block-size:36px;flex:none;border-radius:50%;color:var(--_muted)}
.icon:hover:not(:disabled){background:var(--_soft);color:var(--_text)}
.main{container-type:inline-size}
::placeholder{color:var(--_muted);opacity:1}
.pill,.banner{position:absolute;inset-inline:0;margin-inline:auto;inline-size:fit-content;z-index:3;display:flex;align-items:center;gap:8px;border-radius:20px;font-size:13px;font-weight:600;box-shadow:0 4px 16px #0003}
.pill{inset-block-end:12px;padding:9px;background:var(--_ground);border:1px solid var(--_line);margin-inline:auto var(--_space)}
.pill.new{padding:7px 14px;color:var(--_on-accent);background:var(--_accent);border:0;margin-inline:auto}
.pill svg{inline-size:18px;block-size:18px}
.banner{inset-block-start:10px;padding:6px 14px;background:var(--_text);color:var(--_ground);animation:show .2s .8s both}
.banner.now{animation-delay:0s}
.banner button{text-decoration:underline;text-underline-offset:2px}
@keyframes show{from{opacity:0}}
.typing{block-size:22px;flex:none;padding-inline:calc(var(--_space) + 4px);font-size:13px;line-height:22px;color:var(--_muted);white-space:nowrap;overflow:hidden;text-overflow:ellipsis;inline-size:100%;max-inline-size:calc(880px + 2*var(--_space));margin-inline:auto}
.alert{color:var(--_danger);font-size:13px;padding:0 calc(var(--_space) + 4px) 6px;overflow-wrap:anywhere}
.note{padding:14px;text-align:center;color:var(--_muted);font-size:13px;border-block-start:1px solid var(--_line)}
.composer{padding:0 12px max(12px,env(safe-area-inset-bottom));inline-size:100%;max-inline-size:calc(856px + 2*var(--_space));margin-inline:auto}
.line{display:flex;align-items:flex-end;gap:4px;padding:4px;border:1px solid light-dark(#c9ced8,#3b414d);border-radius:24px}
.line:focus-within{border-color:var(--_link);box-shadow:0 0 0 1px var(--_link)}
textarea{flex:1;min-inline-size:0;padding:7px 4px;line-height:22px;min-block-size:36px;max-block-size:min(200px,40vh);resize:none;scrollbar-width:thin}
textarea:focus{outline:0}
.composer .send{background:var(--_accent);color:var(--_on-accent)}
.send:disabled,.icon:disabled{opacity:.4}
.dropping .line{border:2px dashed var(--_link)}
`;
