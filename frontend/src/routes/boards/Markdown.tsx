import Marked from 'markdown-to-jsx/react';

// The page has a heading of the first degree: its name. Links lead out of the dashboard; HTML stays text.
const overrides = {
  h1: { component: 'h2' },
  h2: { component: 'h3' },
  h3: { component: 'h4' },
  h4: { component: 'h5' },
  h5: { component: 'h6' },
  a: { props: { target: '_blank', rel: 'noopener noreferrer' } },
} as const;

export const Markdown = ({ text }: { text: string }) => <Marked options={{ disableParsingRawHTML: true, overrides }}>{text}</Marked>;
