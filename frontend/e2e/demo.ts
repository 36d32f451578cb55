/** The demo as anybody starts it, and its events as the API lists them: what the dashboard says is counted anew from these. */
import { spawn } from 'node:child_process';

export interface Did {
  name: string;
  ts: number;
  /** Whoever it was: the shop names a visitor and the user that he becomes alike. */
  person: string;
  props: Record<string, string | number>;
}

export interface Demo {
  url: string;
  email: string;
  password: string;
  projectId: string;
  events: Did[];
  /** Of each person who signed up. */
  profiles: Map<string, Record<string, unknown>>;
  stop: () => Promise<void>;
}

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
interface Listed {
  name: string;
  ts: string;
  user_id: string | null;
  anonymous_id: string | null;
  props: Record<string, string | number>;
}

async function every<T>(page: (cursor: string | undefined) => Promise<Response>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  do {
    const response = await page(cursor);
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
    const { items, next_cursor } = (await response.json()) as Page<T>;
    all.push(...items);
    cursor = next_cursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

const personOf = (id: string) => id.replace(/^(user|a)_/, '').replace(/_m$/, '');

export async function startDemo(binary: string, dataDir: string): Promise<Demo> {
  const child = spawn(binary, ['demo'], {
    env: {
      PATH: process.env['PATH'], HOME: process.env['HOME'], NIMBUS_POSTGRES_BIN: process.env['NIMBUS_POSTGRES_BIN'] ?? '',
      NIMBUS_LOG_LEVEL: 'error', NIMBUS_ADDR: '127.0.0.1:0', NIMBUS_ADMIN_ADDR: 'off', NIMBUS_DATA_DIR: dataDir, NIMBUS_BCRYPT_COST: '4', NIMBUS_RATE_LIMIT_ENABLED: 'false',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const said = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${text}`)));
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes('It stays up')) resolve(text);
    });
  });
  const part = (shape: RegExp) => shape.exec(said)![1]!;
  const url = part(/Dashboard\s+(\S+)/);
  const projectId = part(/Project\s.*\s([\da-f-]{36})/);
  const key = { 'X-API-Key': part(/API key\s+\S+\s+(\S+)/) };
  const listed = await every<Listed>((cursor) => fetch(`${url}/v1/events?project_id=${projectId}&limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, { headers: key }));
  const people = await every<{ person: string; props: Record<string, unknown> }>((cursor) =>
    fetch(`${url}/v1/people/query`, { method: 'POST', headers: { ...key, 'Content-Type': 'application/json' }, body: JSON.stringify({ project_id: projectId, limit: 1000, where: { op: 'profile', filter: { op: 'exists', prop: 'name' } }, ...(cursor && { cursor }) }) }));
  return {
    url, projectId,
    email: part(/Log in\s+(\S+)/), password: part(/Log in\s+\S+\s+(\S+)/),
    events: listed.map((e) => ({ name: e.name, ts: Date.parse(e.ts), person: personOf(e.user_id ?? e.anonymous_id ?? ''), props: e.props })).sort((a, b) => a.ts - b.ts),
    profiles: new Map(people.map((p) => [personOf(p.person), p.props])),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const day = 86_400_000;
/** Midnight of today, in UTC. */
export const today = () => Math.floor(Date.now() / day) * day;

export const within = (events: readonly Did[], from: number, to = Infinity) => events.filter((e) => e.ts >= from && e.ts < to);
export const named = (events: readonly Did[], name: string) => events.filter((e) => e.name === name);
export const people = (events: readonly Did[]) => new Set(events.map((e) => e.person)).size;
export const sum = (events: readonly Did[], prop: string) => events.reduce((total, e) => total + Number(e.props[prop] ?? 0), 0);

/** The events by what each is of. */
export function grouped(events: readonly Did[], of: (e: Did) => string | number | undefined): Map<string, Did[]> {
  const groups = new Map<string, Did[]>();
  for (const e of events) {
    const key = String(of(e) ?? 'Not set');
    const group = groups.get(key);
    if (group) group.push(e);
    else groups.set(key, [e]);
  }
  return groups;
}

/** How many people came how far through steps that begin at or after an instant, within seven days of the first. */
export function funnel(events: readonly Did[], steps: readonly string[], from: number): number[] {
  const counts = steps.map(() => 0);
  for (const mine of grouped(events, (e) => e.person).values()) {
    const reached = mine.flatMap((start, i) => {
      if (start.name !== steps[0] || start.ts < from) return [];
      let step = 1;
      for (const e of mine.slice(i + 1)) if (step < steps.length && e.name === steps[step] && e.ts - start.ts <= 7 * day) step++;
      return [step];
    });
    for (let step = 0; step < Math.max(0, ...reached); step++) counts[step]!++;
  }
  return counts;
}
