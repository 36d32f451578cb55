import type { ProfileOp } from '../gen/types.gen.js';
import type { Core, CoreTrackOptions } from './core.js';
import type { Calls, OperationOptions, Store, TrackOptions } from './types.js';

/** The two calls that all others are made of. */
export type Base = Pick<Core, 'track' | 'operate'>;

/**
 * Options with others beside them. Not a copy, because reading what a page gave could throw: what the options are is read
 * where a fault of theirs is caught.
 */
export const beside = <T extends object>(own: object | null | undefined, more: T): T => ({ __proto__: own, ...more });

/** Makes the other calls. */
export function callsOf({ track, operate }: Base): Omit<Calls, 'register' | 'unregister'> {
  const change =
    (op: ProfileOp) =>
    (props: object, own?: OperationOptions): Promise<void> =>
      operate(op, { props }, own);
  return {
    track,
    page: (props, own?: TrackOptions) => track('$pageview', props, own),
    screen: (name, props, own) => track('$screen', props, beside<CoreTrackOptions>(own, { context: { name } })),
    identify: (userId, props, own) => operate('set', { props: props ?? {} }, beside(own, { userId })),
    alias: (userId, anonymousId, own) => operate('set', { props: {} }, beside(own, { userId, anonymousId })),
    group: (type, key, props, own) => operate('set', { props: props ?? {} }, beside(own, { group: { type, key } })),
    setPeople: change('set'),
    setPeopleOnce: change('set_once'),
    addPeople: change('add'),
    appendPeople: change('append'),
    unionPeople: change('union'),
    removePeople: change('remove'),
    unsetPeople: (names, own) => operate('unset', { names: [names].flat() }, own),
    deletePerson: (own) => operate('delete', undefined, own),
  };
}

/** The props that `register` gives, as the JSON kept under a name. */
export function createRegister({ get, set }: Store): Pick<Calls, 'register' | 'unregister'> & { registered: () => object } {
  const registered = (): Record<string, unknown> => {
    try {
      return JSON.parse(get('super') ?? '{}') as Record<string, unknown>;
    } catch {
      return {};
    }
  };
  return {
    registered,
    register: (props) => {
      try {
        set('super', JSON.stringify({ ...registered(), ...props }));
      } catch {
        // What cannot be sent is not kept.
      }
    },
    unregister: (...names) => set('super', JSON.stringify(Object.fromEntries(Object.entries(registered()).filter(([name]) => !names.includes(name))))),
  };
}

/** Keeps as long as the program runs. */
export function memoryStore(): Store {
  const kept = new Map<string, string | undefined>();
  return { get: (name) => kept.get(name), set: (name, value) => void kept.set(name, value) };
}
