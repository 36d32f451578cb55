// What testvectors/behaviours.json asks of every SDK about people: profiles, identities, sessions and hooks. For Node and for the
// browser, as support/behaviours.ts is.
import type { Event, ProfileOperation, Tracker } from '../../src/index.js';
import { manualClock } from '../../src/testing.js';
import { Bench, type Behaviour, equal, fails, ok, problem } from './behaviours.js';

/** An operation without its time and key. */
const brief = ({ ts: _ts, idempotency_key: _key, ...rest }: ProfileOperation): object => rest;
const sorted = (o: object): [string, unknown][] => Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1));

async function operations(b: Bench): Promise<ProfileOperation[]> {
  return (await b.report()).requests.flatMap((r) => r.operations ?? []);
}
async function events(b: Bench): Promise<Event[]> {
  return (await b.report()).requests.flatMap((r) => r.events ?? []);
}
const same = (got: object[], want: object[]): void => equal(got.map(sorted), want.map(sorted));
const briefs = async (b: Bench, want: object[]): Promise<void> => same((await operations(b)).map(brief), want);

const minute = 60_000;

/** A visitor and the clock they live by. */
async function timed(subject: Parameters<Behaviour>[0], server: string) {
  const b = await Bench.open(subject, server);
  const clock = manualClock(Date.UTC(2026, 0, 15, 10));
  return { visitor: b.visitor({ clock, flushIntervalMs: 1e9, requestTimeoutMs: 1e9 }), clock };
}

export const ofPeople: Record<string, Behaviour> = {
  tracks_pages_and_screens: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server();
    void tracker.page({ page: '/' }, { userId: 'u' });
    void tracker.screen('Cart', { items: 2 });
    void tracker.screen('Home');
    await tracker.flush();
    equal((await events(b)).map((e) => [e.name, e.user_id, Object.entries(e.props ?? {}).sort()]), [
      ['$pageview', 'u', [['page', '/']]],
      ['$screen', undefined, [['items', 2], ['name', 'Cart']]],
      ['$screen', undefined, [['name', 'Home']]],
    ]);
  },
  sends_operations: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server();
    const [one, ada] = [{ n: 1 }, { userId: 'ada' }];
    void tracker.setPeople(one, ada);
    void tracker.setPeopleOnce(one, { anonymousId: 'a' });
    void tracker.addPeople(one, ada);
    void tracker.appendPeople(one, ada);
    void tracker.unionPeople(one, ada);
    void tracker.removePeople(one, ada);
    void tracker.unsetPeople(['n', 'm'], ada);
    void tracker.unsetPeople('n', ada);
    void tracker.deletePerson(ada);
    void tracker.group('company', 'acme', one);
    void tracker.addPeople(one, { group: { type: 'company', key: 'acme' } });
    void tracker.group('company', 'new');
    await tracker.flush();
    const [first, ...others] = (await b.report()).requests;
    ok(first?.path.endsWith('/v1/people/operations') && !others.length, first?.path);
    equal(first?.project_id, b.projectId);
    const props = { n: 1 };
    await briefs(b, [
      { op: 'set', user_id: 'ada', props },
      { op: 'set_once', anonymous_id: 'a', props },
      ...['add', 'append', 'union', 'remove'].map((op) => ({ op, user_id: 'ada', props })),
      { op: 'unset', user_id: 'ada', names: ['n', 'm'] },
      { op: 'unset', user_id: 'ada', names: ['n'] },
      { op: 'delete', user_id: 'ada' },
      { op: 'set', group: { key: 'acme', type: 'company' }, props },
      { op: 'add', group: { key: 'acme', type: 'company' }, props },
      { op: 'set', group: { key: 'new', type: 'company' }, props: {} },
    ]);
  },
  gives_each_operation_a_time_and_a_key: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server();
    const before = Date.now();
    for (let k = 0; k < 2; k++) void tracker.deletePerson({ userId: 'u' });
    void tracker.deletePerson({ userId: 'u', ts: '2026-01-15T10:30:00Z', idempotencyKey: 'mine' });
    const after = Date.now();
    await tracker.flush();
    const [first, , last] = await operations(b);
    const at = Date.parse(first?.ts ?? '');
    ok(at >= before && at <= after, `ts is ${at}`);
    equal([last?.ts, last?.idempotency_key], ['2026-01-15T10:30:00Z', 'mine']);
    equal(new Set((await b.report()).stored).size, 3);
  },
  identify_links_two_ids: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server();
    void tracker.identify('u', { plan: 'pro' }, { anonymousId: 'a' });
    void tracker.identify(42);
    void tracker.alias('u', 'phone');
    await tracker.flush();
    await briefs(b, [
      { op: 'set', user_id: 'u', anonymous_id: 'a', props: { plan: 'pro' } },
      { op: 'set', user_id: '42', props: {} },
      { op: 'set', user_id: 'u', anonymous_id: 'phone', props: {} },
    ]);
  },
  sends_a_request_of_each_kind: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server({ maxBatchEvents: 6000, maxBatchBytes: 4_000_000 });
    const each = 2500;
    for (let k = 0; k < each; k++) {
      void tracker.track(`e${k}`);
      void tracker.deletePerson({ userId: `u${k}` });
    }
    await tracker.flush();
    const { requests } = await b.report();
    equal(requests.map((r) => [r.events?.length ?? 0, r.operations?.length ?? 0]), [[each, 0], [0, 1000], [0, 1000], [0, 500]]);
    equal((await operations(b)).map((o) => o.user_id), Array.from({ length: each }, (_, k) => `u${k}`));
    equal(tracker.stats().delivered, 2 * each);
  },
  retries_operations: async (subject, server) => {
    const b = await Bench.open(subject, server, { replies: [{ status: 503 }, { drop: 'after' }] });
    const tracker = b.server();
    void tracker.addPeople({ n: 1 }, { userId: 'u' });
    void tracker.deletePerson({ userId: 'v' });
    await tracker.flush();
    const { requests, stored } = await b.report();
    equal(requests.length, 3);
    for (const r of requests) equal(r.operations, requests[0]?.operations);
    equal([stored.length, tracker.stats().delivered, b.dropped.length], [2, 2, 0]);
  },
  reports_operations: async (subject, server) => {
    const error = (index: number) => ({ index, pointer: `/operations/${index}/ts`, code: 'maximum', detail: 'd' });
    const b = await Bench.open(subject, server, {
      replies: [
        { status: 200, body: { accepted: 1, duplicates: 0, rejected: 1, errors: [error(1)] } },
        { status: 422, body: problem(422, { code: 'all_operations_rejected', errors: [error(0)] }) },
        { status: 403 },
      ],
    });
    const tracker = b.server();
    for (const batch of [['good', 'bad'], ['alone'], ['final'], ['next']]) {
      for (const userId of batch) void tracker.deletePerson({ userId });
      await tracker.flush();
    }
    const ids = (kept: { user_id?: string | undefined; op?: string | undefined }) => `${kept.op} ${kept.user_id}`;
    equal(b.rejected.map(([kept, errors]) => [ids(kept), errors[0]?.code]), [['delete bad', 'maximum'], ['delete alone', 'maximum']]);
    equal(b.dropped.map(([kept, reason]) => [ids(kept), reason.code]), [['delete final', 'scripted']]);
    const { tracked, delivered, rejected, dropped } = tracker.stats();
    equal([tracked, delivered, rejected, dropped], [5, 2, 2, 1]);
  },
  refuses_a_bad_operation_at_once: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server();
    let good = 0;
    for (const { name, operations: all, verdicts } of subject.vectors.operations) {
      for (const [k, o] of all.entries()) {
        const sent = change(tracker, o);
        if (!sent) continue; // nothing that the calls let one say
        if (verdicts[k]?.length) await fails(sent, 'invalid_event');
        else {
          await sent.catch((error: unknown) => ok(false, `${name}: ${String(error)}`));
          good++;
        }
      }
    }
    await tracker.flush();
    ok(good > 5 && tracker.stats().refused > 5);
    equal((await operations(b)).length, good);
  },
  junk_identifies_nobody: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server();
    const visitor = b.visitor();
    const { junk, fine } = subject.vectors;
    for (const id of junk) {
      await fails(tracker.identify(id, {}, { anonymousId: 'a' }), 'invalid_event');
      await fails(tracker.alias('u', id), 'invalid_event');
      await fails(tracker.alias(id, 'a'), 'invalid_event');
      await visitor.identify(id);
      await visitor.alias('u', id);
      await visitor.track('e', {}, { userId: id });
    }
    for (const id of fine) await tracker.identify(id);
    await tracker.flush();
    await visitor.flush();
    equal((await operations(b)).map((o) => o.user_id), fine);
    const all = await events(b);
    equal(all.length, junk.length);
    ok(all.every((e) => e.user_id === undefined && e.anonymous_id === visitor.getAnonymousId()));
  },
  before_send_changes: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server({
      beforeSend: (kept) => {
        if (!kept.op) return { ...kept, name: kept.name.toLowerCase(), props: { ...kept.props, card: '***' } };
        const { op, ...rest } = kept;
        return { ...rest, op, user_id: `x-${kept.user_id}` };
      },
    });
    const props = { card: 'secret' };
    void tracker.track('Paid', props);
    void tracker.setPeople({ n: 1 }, { userId: 'u' });
    await fails(tracker.track(''), 'invalid_event');
    await tracker.flush();
    equal([(await events(b)).map((e) => [e.name, e.props]), props], [[['paid', { card: '***' }]], { card: 'secret' }]);
    await briefs(b, [{ op: 'set', user_id: 'x-u', props: { n: 1 } }]);
  },
  before_send_drops: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server({ beforeSend: (kept) => (kept.op || kept.name === 'secret' ? null : kept) });
    for (const name of ['a', 'secret', 'b']) await tracker.track(name);
    await tracker.deletePerson({ userId: 'u' });
    await tracker.flush();
    equal(await b.names(), [['a', 'b']]);
    equal(b.dropped.map(([kept, reason]) => [kept.name ?? kept.op, reason.code]), [['secret', 'before_send'], ['delete', 'before_send']]);
    const { tracked, delivered, dropped } = tracker.stats();
    equal([tracked, delivered, dropped], [4, 2, 2]);
  },
  before_send_that_throws_drops: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server({
      beforeSend: () => {
        throw new Error('no such member');
      },
    });
    await tracker.track('secret');
    await tracker.flush();
    equal((await b.report()).requests.length, 0);
    equal(b.dropped.map(([kept, reason]) => [kept.name, reason.code, reason.detail]), [['secret', 'before_send', 'Error: no such member']]);
  },
  registers_props: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const tracker = b.server();
    const list = [1];
    tracker.register({ version: '1.2', list });
    list.push(2);
    void tracker.track('e');
    void tracker.track('e', { version: 'own' });
    tracker.unregister('version', 'absent');
    void tracker.track('e', { n: 1 });
    tracker.unregister('list');
    void tracker.track('e', { n: 2 });
    void tracker.setPeople({}, { userId: 'u' });
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    tracker.register(loop); // which cannot be sent
    void tracker.track('e', { n: 3 });
    await tracker.flush();
    equal((await events(b)).map((e) => sorted(e.props ?? {})), [{ list: [1], version: '1.2' }, { list: [1], version: 'own' }, { list: [1], n: 1 }, { n: 2 }, { n: 3 }].map(sorted));
    await briefs(b, [{ op: 'set', user_id: 'u', props: {} }]);
  },
  visitor_has_ids: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const visitor = b.visitor();
    void visitor.track('before', { n: 1 });
    void visitor.setPeopleOnce({ source: 'ad' });
    void visitor.identify('ada', { plan: 'pro' });
    void visitor.screen('Home');
    void visitor.addPeople({ views: 1 });
    const [anonymous_id, session] = [visitor.getAnonymousId(), visitor.getSessionId()];
    ok(anonymous_id && session);
    await visitor.flush();
    equal((await events(b)).map((e) => [e.user_id, e.anonymous_id, e.props?.['session_id']]), [
      [undefined, anonymous_id, session],
      ['ada', anonymous_id, session],
    ]);
    await briefs(b, [
      { op: 'set_once', anonymous_id, props: { source: 'ad' } },
      { op: 'set', user_id: 'ada', anonymous_id, props: { plan: 'pro' } },
      { op: 'add', user_id: 'ada', anonymous_id, props: { views: 1 } },
    ]);
  },
  visitor_lasts: async (subject, server) => {
    const b = await Bench.open(subject, server);
    for (let k = 0; k < 2; k++) {
      const visitor = b.visitor();
      if (!k) {
        visitor.register({ version: '1.2' });
        void visitor.identify('ada');
      }
      void visitor.track('e');
      await visitor.close();
    }
    const [first, second] = await events(b);
    equal([second?.user_id, second?.props?.['version']], ['ada', '1.2']);
    equal([second?.anonymous_id, second?.props?.['session_id']], [first?.anonymous_id, first?.props?.['session_id']]);
  },
  visitor_is_of_a_group: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const visitor = b.visitor();
    void visitor.group('company', 'acme', { plan: 'team' });
    void visitor.track('e');
    await visitor.flush();
    equal((await events(b))[0]?.props?.['company'], 'acme');
    await briefs(b, [{ op: 'set', group: { key: 'acme', type: 'company' }, props: { plan: 'team' } }]);
  },
  reset_begins_anew: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const visitor = b.visitor();
    visitor.register({ version: '1.2' });
    void visitor.identify('ada');
    void visitor.track('e');
    visitor.reset();
    void visitor.track('e');
    await visitor.flush();
    const [before, after] = await events(b);
    equal([before?.user_id, before?.props?.['version'], after?.user_id, after?.props?.['version']], ['ada', '1.2', undefined, undefined]);
    ok(before?.anonymous_id !== after?.anonymous_id && before?.props?.['session_id'] !== after?.props?.['session_id']);
  },
  another_person_begins_anew: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const visitor = b.visitor();
    for (const id of ['ada', 'ada', 'bob']) void visitor.identify(id);
    await visitor.flush();
    const [ada, again, bob] = await operations(b);
    ok(ada?.anonymous_id === again?.anonymous_id && bob?.anonymous_id !== ada?.anonymous_id);
    equal(bob?.user_id, 'bob');
  },
  session_ends_when_idle: async (subject, server) => {
    const { visitor, clock } = await timed(subject, server);
    void visitor.track('e');
    const first = visitor.getSessionId();
    clock.advance(30 * minute);
    void visitor.track('e');
    equal(visitor.getSessionId(), first, 'after 30 minutes');
    clock.advance(20 * minute);
    equal(visitor.getSessionId(), first, 'after 20 minutes');
    clock.advance(20 * minute);
    const second = visitor.getSessionId();
    ok(second !== first, 'asking for it kept it open');
    void visitor.track('e');
    equal(visitor.getSessionId(), second, 'the event is of the session that was asked for');
    await visitor.flush();
  },
  session_ends_after_a_day: async (subject, server) => {
    const { visitor, clock } = await timed(subject, server);
    void visitor.track('e');
    const first = visitor.getSessionId();
    for (let k = 0; k < 72; k++) {
      clock.advance(20 * minute);
      void visitor.track('e');
    }
    equal(visitor.getSessionId(), first, 'until the day is over');
    clock.advance(minute);
    ok(visitor.getSessionId() !== first, 'it is longer than a day');
    await visitor.flush();
  },
  debug_says_what_happens: async (subject, server) => {
    const b = await Bench.open(subject, server);
    const said: string[] = [];
    const { log } = console;
    console.log = (text: string) => void said.push(text);
    try {
      const tracker = b.server({ debug: true });
      void tracker.track('signed_up');
      void tracker.deletePerson({ userId: 'u' });
      await tracker.flush();
    } finally {
      console.log = log;
    }
    for (const want of ['"name":"signed_up"', '"op":"delete"', 'nimbus: 1 events stored', 'nimbus: 1 operations stored']) ok(said.some((text) => text.includes(want)), said.join('\n'));
  },
};

/** Makes the call that an operation is of. */
function change(tracker: Tracker, { op, user_id: userId, anonymous_id: anonymousId, group, props, names }: ProfileOperation): Promise<void> | undefined {
  const of = { userId, anonymousId, group };
  const calls = { set: 'setPeople', set_once: 'setPeopleOnce', add: 'addPeople', append: 'appendPeople', union: 'unionPeople', remove: 'removePeople' } as const;
  if (op in calls) return names ? undefined : tracker[calls[op as keyof typeof calls]](props as Record<string, number>, of);
  if (op === 'unset') return props ? undefined : tracker.unsetPeople(names ?? [], of);
  return op === 'delete' ? tracker.deletePerson(of) : undefined;
}
