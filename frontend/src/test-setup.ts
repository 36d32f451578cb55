import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

afterEach(cleanup);
configure({ asyncUtilTimeout: 30_000 }); // what is awaited takes a moment, on a machine that has one

// What the chart asks of a browser and jsdom lacks.
globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
Object.defineProperty(HTMLElement.prototype, 'clientWidth', { configurable: true, get: () => 800 });
// What the picker asks: jsdom lays nothing out, so there is nothing to scroll.
Element.prototype.scrollIntoView = () => {};
