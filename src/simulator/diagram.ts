import { readFileSync } from 'node:fs';
import type { Drawing } from './recorder.js';

/** A page of its own that shows the drawing: lifelines downwards, messages between them, state on hover. */
export function diagramPage(drawing: Drawing): string {
  const page = readFileSync(new URL('diagram.html', import.meta.url), 'utf8');
  // Infinity becomes null; a closing tag in a text must not end the script.
  const data = JSON.stringify(drawing).replaceAll('<', '\\u003c');
  return page.replace('/*DATA*/', () => data);
}
