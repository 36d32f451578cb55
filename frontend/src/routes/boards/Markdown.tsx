import Marked from 'markdown-to-jsx/react';

// The heading of the first degree is the name of the board, and the next are those of its tiles. Links lead out of the dashboard;
// HTML stays text.
const overrides = {
  h1: { component: 'h2' },
  h4: { component: 'h3' },
  h5: { component: 'h3' },
  h6: { component: 'h3' },
  a: { props: { target: '_blank', rel: 'noopener noreferrer' } },
} as const;

export const Markdown = ({ text }: { text: string }) => <Marked options={{ disableParsingRawHTML: true, overrides }}>{text}</Marked>;
