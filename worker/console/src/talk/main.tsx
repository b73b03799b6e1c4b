import { render } from 'preact';
import { join } from '../lib/join';
import { keyFromFragment } from '../lib/key';
import { shrink } from '../lib/picture';
import { connect } from '../lib/room';
import { App } from './app';
import { Call } from './call';
import './talk.css';

const page = document.getElementById('page');
const call = new Call(
  { join, connect, shrink, now: () => Date.now() / 1000 },
  keyFromFragment(location.hash),
);
if (page) render(<App call={call} />, page);

// Another link pasted into this tab is another talk.
window.addEventListener('hashchange', () => location.reload());
