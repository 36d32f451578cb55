/**
 * Where this dashboard is served: the document's base, which the server writes as `<base href="/analytics/">` when Nimbus is
 * below a path. Every URL of ours begins with it.
 */
const base = new URL('.', document.baseURI);

/** The address of Nimbus as programs take it, without a slash at the end. */
export const nimbusUrl = base.href.replace(/\/$/, '');

/** The path of the dashboard, `/` or such as `/analytics/`. */
export const basePath = base.pathname;
