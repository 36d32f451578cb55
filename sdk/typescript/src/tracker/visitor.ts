import { type Base, beside, callsOf, createRegister } from './calls.js';
import { type CoreTrackOptions, randomId, realClock } from './core.js';
import { personOf } from './ids.js';
import type { Clock, OperationOptions, Store, Visitor } from './types.js';

const day = 86_400_000;

/**
 * Makes a visitor of what takes events and operations.
 *
 * @param core where they go
 * @param store what lasts, as long as the program wants the person to be known
 * @param allowed whether the person may be tracked; while not, nothing is taken, and no id is made
 */
export function createVisitor(core: Base, store: Store, { allowed = () => true, sessionTimeoutMs = 1_800_000, clock = realClock }: VisitorParts): Visitor {
  const { get, set } = store;
  const { registered, ...register } = createRegister(store);

  /** An id that lasts; made when it is first needed, so that nobody who refused has one. */
  const ownId = (): string => {
    if (!get('anon')) set('anon', randomId());
    return get('anon') as string;
  };
  /** The session, which an event keeps open, and asking for it does not. */
  const sessionId = (event?: unknown): string => {
    const at = clock.now();
    const [id, last, begun = last] = (get('session') ?? '').split(' ');
    const same = id && at - Number(last) <= sessionTimeoutMs && at - Number(begun) <= day;
    const own = same ? id : randomId();
    if (event || !same) set('session', `${own} ${at} ${same ? begun : at}`);
    return own;
  };
  const ids = (own: OperationOptions | undefined) => ({ userId: personOf(own?.userId) ?? personOf(get('user')), anonymousId: personOf(own?.anonymousId) ?? ownId() });
  const reset = (): void => ['user', 'anon', 'session', 'super'].forEach((name) => set(name));
  const nothing = (): Promise<void> => Promise.resolve();

  // Not async: that would be another promise, whose failure is an unhandled one.
  const calls = callsOf({
    track: (name, props, own?: CoreTrackOptions) =>
      allowed() ? core.track(name, props, beside(own, { ...ids(own), context: { ...registered(), session_id: sessionId(1), ...own?.context } })) : nothing(),
    operate: (op, what, own) => (allowed() ? core.operate(op, what, own?.group ? own : beside(own, ids(own))) : nothing()),
  });
  return {
    ...calls,
    ...register,
    identify: (userId, props, own) => {
      const id = personOf(userId);
      if (!allowed()) return nothing();
      const before = get('user');
      if (id && before && before !== id) reset(); // another person: the ids of the one before are not theirs
      set('user', id);
      return id ? calls.identify(id, props, own) : nothing();
    },
    alias: (userId, anonymousId, own) => (personOf(userId) && personOf(anonymousId) ? calls.alias(userId, anonymousId, own) : nothing()),
    group: (type, key, props, own) => {
      if (allowed()) register.register({ [type]: key });
      return calls.group(type, key, props, own);
    },
    getAnonymousId: () => (allowed() ? ownId() : undefined),
    getSessionId: () => (allowed() ? sessionId() : undefined),
    reset,
  };
}

/** What a visitor may be made with, besides. */
export interface VisitorParts {
  allowed?: () => boolean;
  /** A session ends after so long without an event, in milliseconds. */
  sessionTimeoutMs?: number | undefined;
  clock?: Clock | undefined;
}
