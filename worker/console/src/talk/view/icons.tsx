import type { ComponentChildren } from 'preact';

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {children}
    </svg>
  );
}

export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="9" class="mark-ground" />
    <g class="mark-wave" stroke-width="3" stroke-linecap="round">
      <path d="M8 14v4M13.3 10v12M18.7 7v18M24 13v6" />
    </g>
  </svg>
);
const BODY = <path d="M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />;
export const Mic = () => <Icon>{BODY}</Icon>;
export const MicOff = () => <Icon>{BODY}<path d="M4 4l16 16" /></Icon>;
export const Leave = () => (
  <Icon><path d="M15 4h3a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-3M10 16l-4-4 4-4M6 12h10" /></Icon>
);
export const Send = () => <Icon><path d="M5 12h13M13 6l6 6-6 6" /></Icon>;
export const Picture = () => (
  <Icon><path d="M4 5h16v14H4ZM4 16l5-5 4 4 2-2 5 5" /><path d="M15.5 9h.01" /></Icon>
);
export const Sound = () => <Icon><path d="M4 10v4h4l5 4V6L8 10H4ZM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11" /></Icon>;
export const Info = () => <Icon><circle cx="12" cy="12" r="9" /><path d="M12 11v5M12 8h.01" /></Icon>;
export const Warn = () => <Icon><path d="M12 4 3 19h18L12 4ZM12 10v4M12 16.5h.01" /></Icon>;
