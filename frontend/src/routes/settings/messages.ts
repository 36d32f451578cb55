/** The words of other vendors' SDKs, apart from those of messages.ts because only this page loads them. */
export const w = {
  title: 'SDKs of other vendors',
  text: 'Write keys of this project serve these SDKs, too: an app of theirs sends here when its host and key are changed.',
  howTo: 'How to send with them',
  vendors: { segment: 'Segment and RudderStack', mixpanel: 'Mixpanel', posthog: 'PostHog', umami: 'Umami', plausible: 'Plausible' },
  notSpoken: 'Not taken by this server. Whoever runs it can change that (NIMBUS_COMPAT).',
  off: 'Off: keys of this project are unknown to these SDKs.',
  offTitle: (vendor: string) => `Take nothing more from ${vendor} SDKs?`,
  offText: 'Within a second, keys of this project are unknown to these SDKs. What they send from then on is not stored, and most of them do not send it again. Events that are there stay, and Nimbus’ own SDKs go on.',
  offAction: 'Switch off',
};
