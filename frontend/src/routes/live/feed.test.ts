import type { LiveItem, StoredEvent } from '@nimbus-analytics/sdk';
import { describe, expect, it } from 'vitest';
import { Feed, kept } from './feed';
import { parseLive } from './search';

const event = (id: number): LiveItem => ({ type: 'event', cursor: `c${id}`, event: { id: `e${id}`, name: 'a' } as StoredEvent });
const ids = (feed: Feed) => feed.view(0).rows.map((r) => r.id);

describe('the feed', () => {
  it('shows the newest first, and what was missed in its place', () => {
    const feed = new Feed(0);
    feed.push(event(1), 0);
    feed.push({ type: 'missed', cursor: 'm', count: 3, since: '2026-01-01T00:00:00Z' }, 0);
    feed.push(event(2), 0);
    expect(ids(feed)).toEqual([]);
    feed.take();
    expect(ids(feed)).toEqual(['e2', 'm', 'e1']);
    feed.push(event(3), 0);
    feed.take();
    expect(ids(feed)).toEqual(['e3', 'e2', 'm', 'e1']);
  });
  it('begins with the latest events of before, below those that have come', () => {
    const feed = new Feed(0);
    feed.push(event(3), 0);
    feed.take();
    feed.push(event(4), 0);
    const before = [4, 3, 2, 1].map((id) => (event(id) as { event: StoredEvent }).event);
    feed.begin(before);
    feed.take();
    expect(ids(feed)).toEqual(['e4', 'e3', 'e2', 'e1']);
    expect(feed.view(0).rate).toBe(2);
  });
  it('counts every event that waits, and keeps the latest', () => {
    const feed = new Feed(0);
    for (let i = 0; i < 5 * kept; i++) feed.push(event(i), 0);
    expect(feed.view(0).waiting).toBe(5 * kept);
    feed.take();
    expect(feed.view(0).waiting).toBe(0);
    expect(ids(feed)).toHaveLength(kept);
    expect(ids(feed)[0]).toBe(`e${5 * kept - 1}`);
  });
  it('gives the rate of the last ten seconds, and of as long as it has listened before', () => {
    const feed = new Feed(0);
    for (let i = 0; i < 20; i++) feed.push(event(i), 500);
    expect(feed.view(600).rate).toBe(20);
    expect(feed.view(4000).rate).toBe(5);
    for (let s = 1; s <= 15; s++) feed.push(event(100 + s), s * 1000);
    expect(feed.view(15_000).rate).toBe(1);
    expect(feed.view(60_000).rate).toBe(0);
  });
});

it('keeps the names in the address once each, and no more than the server takes', () => {
  expect(parseLive({ name: ['a', 'a', '', 3, 'b'], event: 'x' })).toEqual({ name: ['a', 'b'], event: 'x' });
  expect(parseLive({ name: Array.from({ length: 60 }, (_, i) => `n${i}`) }).name).toHaveLength(50);
  expect(parseLive({ name: 'a' })).toEqual({ name: ['a'] });
});
