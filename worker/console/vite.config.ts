import { defineConfig } from 'vite';

// The page is served under `default-src 'self'`: nothing may be inlined into the HTML, so assets
// stay files and the module preload polyfill (an inline-style shim of old browsers) is left out.
export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900, // livekit-client is most of it
    rollupOptions: { input: ['index.html', 'no-agent.html'] },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
