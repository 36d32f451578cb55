import { createBrowserTracker } from '@nimbus-analytics/sdk/browser';

/** The events of this application; a name or a prop that is misspelt does not compile. */
type Events = {
  added_to_cart: { product: string; price: number };
};

/** One tracker for the page, outside of every component. */
export const nimbus = createBrowserTracker<Events>({
  baseUrl: import.meta.env.VITE_NIMBUS_URL,
  projectId: import.meta.env.VITE_NIMBUS_PROJECT_ID,
  writeKey: import.meta.env.VITE_NIMBUS_WRITE_KEY,
  pageViews: false, // the application says when there is a new page
  logger: console,
});

declare module '@nimbus-analytics/sdk/react' {
  interface Register {
    events: Events;
  }
}
