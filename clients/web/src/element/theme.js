/**
 * The look that both elements share. Each value is a custom property of the page first (`--chatterbus-...`), and a default
 * for light and dark second; text on its ground has a contrast of 4.5 or more in both.
 */

export const THEME = `
:host{
color-scheme:light dark;
--_ground:var(--chatterbus-background,light-dark(#fff,#14161b));
--_text:var(--chatterbus-text,light-dark(#1b1e26,#e9ebf0));
--_muted0:var(--chatterbus-muted,light-dark(#5a6170,#a3abba));--_muted:var(--_muted0);
--_line:var(--chatterbus-line,light-dark(#e3e6ec,#2b303a));
--_soft:var(--chatterbus-bubble,light-dark(#eff1f5,#242832));
--_accent:var(--chatterbus-accent,light-dark(#4052d6,#4a5ce0));
--_on-accent:var(--chatterbus-on-accent,#fff);
--_link0:var(--chatterbus-link,light-dark(#3646c2,#a9b6ff));--_link:var(--_link0);
--_danger:var(--chatterbus-danger,light-dark(#b3261e,#ff9d94));
--_here:var(--chatterbus-online,light-dark(#1a8f52,#3ecb83));
--_idle:var(--chatterbus-away,light-dark(#b07500,#e8b44a));
--_radius:var(--chatterbus-radius,18px);
--_space:var(--chatterbus-space,16px);
display:block;block-size:100%;max-block-size:100dvh;min-inline-size:0;color:var(--_text);background:var(--_ground);
font:var(--chatterbus-font,15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif);
}
:host([theme=light]){color-scheme:light}
:host([theme=dark]){color-scheme:dark}
:host([hidden]),[hidden]{display:none!important}
*,::before,::after{box-sizing:border-box}
.box{block-size:100%;overflow:hidden;position:relative}
h2,p,ol,ul{margin:0;padding:0;list-style:none}
button,input,textarea{font:inherit;color:inherit;background:none;border:0;margin:0}
button{cursor:pointer;padding:0;text-align:start}
button:disabled{cursor:default}
:focus-visible{outline:2px solid var(--_link);outline-offset:2px}
svg{inline-size:20px;block-size:20px;flex:none;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.unseen{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.face{position:relative;flex:none;display:flex}
.avatar{inline-size:40px;block-size:40px;flex:none;border-radius:50%;display:grid;place-items:center;font-size:14px;font-weight:600;line-height:1;color:#fff;background:oklch(.5 .11 var(--_hue))}
.dot{position:absolute;inset-block-end:-1px;inset-inline-end:-1px;inline-size:13px;block-size:13px;border-radius:50%;border:2.5px solid var(--_ground);background:var(--_muted)}
.online{background:var(--_here)}
.away{background:var(--_idle)}
.dnd{background:var(--_danger)}
.names{flex:1;min-inline-size:0}
@media(prefers-reduced-motion:reduce){*,::before,::after{animation-duration:1ms!important;transition:none!important}}
@media(forced-colors:active){.bubble,.pill,.banner,.chip{border:1px solid}}
`;
