/** The ways to send events, a tab of the page each, in their order. A new SDK is a further entry of `own`. */
import { version } from '../../../../sdk/typescript/package.json';
import { w } from './messages';
import * as snippets from './snippets';

/** One thing to do: what, and the code to paste. */
export interface Step {
  title: string;
  code: string;
  /** Whether long lines are broken: of commands, and of a file they stay as they are. */
  wrap?: boolean;
}

export interface Way {
  /** Its name in the page's address. */
  id: string;
  label: string;
  /** The key it sends with: `secret` signs, on servers only; `write` is public. */
  key: 'secret' | 'write';
  steps: (keys: snippets.Keys) => Step[];
}

export const kotlin: Way = {
  id: 'kotlin',
  label: 'Kotlin',
  key: 'secret',
  steps: (keys) => [
    { title: w.installKotlin, code: snippets.installKotlin(keys.url, version), wrap: true },
    { title: w.saveKotlin, code: snippets.kotlin(keys) },
  ],
};

export const own: readonly Way[] = [
  { id: 'curl', label: 'curl', key: 'secret', steps: (keys) => [{ title: w.curlText, code: snippets.curl(keys) }] },
  {
    id: 'node',
    label: 'Node.js',
    key: 'secret',
    steps: (keys) => [
      { title: w.installFirst, code: snippets.installNode(keys.url, version), wrap: true },
      { title: w.saveNode, code: snippets.node(keys) },
    ],
  },
  {
    id: 'go',
    label: 'Go',
    key: 'secret',
    steps: (keys) => [
      { title: w.installFirst, code: snippets.installGo(keys.url), wrap: true },
      { title: w.saveGo, code: snippets.go(keys) },
    ],
  },
  {
    id: 'python',
    label: 'Python',
    key: 'secret',
    steps: (keys) => [
      { title: w.installFirst, code: snippets.installPython(keys.url, version), wrap: true },
      { title: w.savePython, code: snippets.python(keys) },
    ],
  },
  kotlin,
  {
    id: 'browser',
    label: 'Browser',
    key: 'write',
    steps: (keys) => [
      { title: w.pasteHtml, code: snippets.browser(keys), wrap: true },
      { title: w.pasteEvent, code: snippets.browserEvent, wrap: true },
    ],
  },
  {
    id: 'react',
    label: 'React',
    key: 'write',
    steps: (keys) => [
      { title: w.installFirst, code: snippets.installNode(keys.url, version), wrap: true },
      { title: w.saveReact, code: snippets.react(keys) },
    ],
  },
];
