/** How an inbox looks. */

export const INBOX_STYLE = `
.box{overflow:hidden auto;padding:8px;scrollbar-width:thin}
.thread{display:flex;align-items:center;gap:12px;inline-size:100%;padding:10px;border-radius:calc(var(--_radius)*.7)}
.thread:hover{background:color-mix(in srgb,var(--_soft) 60%,transparent)}
.thread[aria-current=true]{background:var(--_soft)}
.thread:focus-visible{outline-offset:-2px}
.avatar{inline-size:44px;block-size:44px}
.top{display:flex;align-items:center;gap:6px}
.top+.top{min-block-size:22px;margin-block-start:1px}
bdi{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.title{font-weight:600}
.last{flex:1;color:var(--_muted);font-size:14px}
.top svg{inline-size:15px;block-size:15px;color:var(--_muted)}
time{margin-inline-start:auto;padding-inline-start:6px;flex:none;font-size:12px;color:var(--_muted)}
.badge{flex:none;min-inline-size:20px;padding:0 6px;border-radius:10px;font-size:12px;line-height:20px;font-weight:600;text-align:center;background:var(--_accent);color:var(--_on-accent)}
.quiet{background:var(--_muted);color:var(--_ground)}
.thread:has(.badge) .last{color:var(--_text)}
.below{padding:16px;text-align:center;color:var(--_muted);font-size:13px;min-block-size:1px}
.below:empty{padding:0}
`;
