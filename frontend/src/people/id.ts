/** How the API names people: a user by his id, a visitor by `a:` and the anonymous id. */
const anonymous = 'a:';
export const isVisitor = (person: string) => person.startsWith(anonymous);
export const anonymousOf = (person: string) => person.slice(anonymous.length);
/** An id as it is read. */
export const idOf = (person: string) => (isVisitor(person) ? anonymousOf(person) : person);
/** A user as an address names him: one whose id looks like a named one is told apart. */
export const personOfUser = (user: string) => (/^[au]:/.test(user) ? `u:${user}` : user);
export const personOfVisitor = (id: string) => anonymous + id;
/** Who did an event, as an address names him; undefined for nobody. */
export const personOf = (event: { user_id?: string; anonymous_id?: string }) => (event.user_id ? personOfUser(event.user_id) : event.anonymous_id ? personOfVisitor(event.anonymous_id) : undefined);
