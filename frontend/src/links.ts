/** The address of a page of this server. Where the dashboard is served below a path, the document's base says so. */
export const linkTo = (path: string) => new URL(path.replace(/^\//, ''), document.querySelector('base')?.href ?? `${location.origin}/`).href;
