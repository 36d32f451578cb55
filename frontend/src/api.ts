/** The session of this browser and the client that every call goes through. Nothing else in the dashboard touches fetch. */
import { client, getAuthMethods, getHealth, login, logout, NimbusError, refresh, register, changePassword, completePasswordReset, type Account, type AuthMethods, type ChangePasswordRequest, type CompletePasswordResetRequest, type Health, type LoginRequest, type RegisterRequest, type Session } from '@nimbus-analytics/sdk';
import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

// The access token lives here and nowhere else. The refresh token is in a cookie that no script can read; this mark only
// says that there was one, so that a first visitor is not refused something he never asked for.
let access: string | undefined;
let account: Account | undefined;
const mark = 'nimbus.session';
let ended = false;

const watchers = new Set<() => void>();
const tell = () => watchers.forEach((watcher) => watcher());
const watch = (watcher: () => void) => {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
};

const plain = { auth: undefined, fetch: (...args: Parameters<typeof fetch>) => fetch(...args) };
const sameSite = { 'X-Nimbus-Session': 'cookie' };

function keep(session: Session): Account {
  const another = account !== undefined && account.id !== session.account.id;
  access = session.access_token;
  account = session.account;
  ended = false;
  localStorage.setItem(mark, '1');
  // The cookie is that of all tabs, and in another one somebody else may have logged in.
  if (another) void queryClient.resetQueries();
  tell();
  return account;
}

function forget() {
  access = account = undefined;
  localStorage.removeItem(mark);
  queryClient.clear();
  tell();
}

let refreshing: Promise<boolean> | undefined;

/** One refresh at a time, however many calls met a 401 together, and across tabs where the browser has locks. */
function refreshOnce(): Promise<boolean> {
  const exchange = async () => {
    try {
      keep((await refresh({ ...plain, headers: sameSite })).data);
      return true;
    } catch (error) {
      // Only a refusal ends the session: a server that is away for a moment must not log anyone out.
      if (!(error instanceof NimbusError) || error.status !== 401) throw error;
      ended = true;
      forget();
      return false;
    }
  };
  refreshing ??= (navigator.locks ? (navigator.locks.request('nimbus.refresh', exchange) as Promise<boolean>) : exchange()).finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

export const session = {
  account: () => account,
  /** Whether there was a session that is over, and not by logging out. */
  ended: () => ended,
  /** Whether someone is logged in; asks the server when only the cookie can tell. */
  resume: async () => access !== undefined || (localStorage.getItem(mark) !== null && (await refreshOnce())),
  login: async (body: LoginRequest) => keep((await login({ ...plain, body: { ...body, session: 'cookie' } })).data),
  register: async (body: RegisterRequest) => keep((await register({ ...plain, body: { ...body, session: 'cookie' } })).data),
  /** How one can log in here. A server that does not say takes passwords, and so does one that cannot be asked. */
  methods: async (): Promise<AuthMethods> => (await getAuthMethods({ ...plain, throwOnError: false })).data ?? { password: true, oidc: { enabled: false }, registration: 'open', empty: false, setup_token: false, password_reset_by_mail: false },
  /** The page comes back from the identity provider with a cookie, and must know that there is one. */
  leaveForProvider: () => localStorage.setItem(mark, '1'),
  resetPassword: async (body: CompletePasswordResetRequest) => keep((await completePasswordReset({ ...plain, body: { ...body, session: 'cookie' } })).data),
  changePassword: async (body: ChangePasswordRequest) => keep((await changePassword({ body: { ...body, session: 'cookie' } })).data),
  logout: async () => {
    await logout({ ...plain, headers: sameSite }).catch((error: unknown) => {
      if (!(error instanceof NimbusError) || error.status !== 401) throw error; // it is over already
    });
    forget();
  },
};

export const useAccount = () => useSyncExternalStore(watch, session.account);

// How far the server's clock is ahead of the device's: what is so far is so by the server's.
let ahead = 0;
function heard(response: Response) {
  const told = Date.parse(response.headers.get('Date') ?? '');
  // The header has whole seconds: a difference of less is none.
  if (!Number.isNaN(told)) ahead = Math.abs(told - Date.now()) < 2000 ? 0 : told - Date.now();
}
export const serverTime = (at: number) => at + ahead;

/** A 401 too, and no session that is over: to send it again would count as a second guess. */
async function isWrongPassword(response: Response): Promise<boolean> {
  const problem = (await response.clone().json().catch(() => null)) as { code?: string } | null;
  return problem?.code === 'invalid_credentials';
}

client.setConfig({
  baseUrl: location.origin,
  auth: (scheme) => (scheme.scheme === 'bearer' ? access : undefined),
  fetch: async (input, init) => {
    const request = new Request(input, init);
    const again = request.clone(); // a body can be read once
    const [used, asked] = [access, account?.id];
    const response = await fetch(request);
    heard(response);
    if (response.status !== 401 || used === undefined || (await isWrongPassword(response))) return response;
    if (access === used && !(await refreshOnce())) return response;
    if (account?.id !== asked) return response; // what one account asked for is not done as another
    again.headers.set('Authorization', `Bearer ${access}`);
    return fetch(again);
  },
});

/** Whether the last call found the server, and the device the network; the banner watches it, and says when it is back. */
let away = false;
export const connection = {
  isAway: () => away || !navigator.onLine,
  set: (isAway: boolean) => {
    if (away === isAway) return;
    away = isAway;
    tell();
    if (!away) void queryClient.invalidateQueries();
  },
};
export const useAway = () => useSyncExternalStore(watch, connection.isAway);
addEventListener('offline', () => connection.set(true));
addEventListener('online', tell); // the next answer of the server says the rest

/** Until when the server asked to wait (429), while something waits for it; the banner counts down. */
let waitUntil = 0;
export const useWaitUntil = () => useSyncExternalStore(watch, () => waitUntil);
function waitFor(seconds: number) {
  waitUntil = Math.max(waitUntil, Date.now() + seconds * 1000);
  tell();
}

// Who says with a 503 that a question takes too long, or comes with too many others, is there.
const away503 = ['database_unavailable', 'shutting_down', 'http_503'];
const unreachable = (error: unknown) => error instanceof NimbusError && ([0, 502, 504].includes(error.status) || away503.includes(error.code));

/** What the server says of itself. That it is not ready is an answer too: a 503, and in it why. */
export async function readiness(): Promise<Health> {
  const answered = async (request: RequestInfo | URL) => {
    const response = await fetch(request);
    const said = (await response.clone().json().catch(() => null)) as Partial<Health> | null;
    return said?.checks ? Response.json(said) : response;
  };
  return (await getHealth({ ...plain, fetch: answered })).data;
}

/** Nothing was done, and it is soon worth trying again. Longer waits, and a password that was wrong too often, are up to the reader. */
const soon = (error: unknown) => error instanceof NimbusError && error.status === 429 && error.code !== 'too_many_attempts' && (error.retryAfter ?? Infinity) <= 30;

function retryDelay(_: number, error: unknown): number {
  const seconds = error instanceof NimbusError ? (error.retryAfter ?? 0.5) : 0.5;
  if (soon(error)) waitFor(seconds);
  return seconds * 1000;
}

/** Asks for the projects again, with the roles in them. */
export const reloadProjects = () => queryClient.invalidateQueries({ predicate: ({ queryKey: [key] }) => ['listProjects', 'getProject'].includes((key as { _id?: string })._id ?? '') });

/** The role has changed since the page was made: the page follows. */
function followRole(error: unknown) {
  if (error instanceof NimbusError && error.code === 'insufficient_role') void reloadProjects();
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (unreachable(error)) connection.set(true);
      followRole(error);
    },
  }),
  mutationCache: new MutationCache({ onError: followRole }),
  defaultOptions: {
    queries: { staleTime: 30_000, networkMode: 'always', retry: (failed, error) => (soon(error) && failed < 3) || (unreachable(error) && failed < 1), retryDelay },
    mutations: { networkMode: 'always', retry: (failed, error) => soon(error) && failed < 2, retryDelay },
  },
});

/** For operations that take an Idempotency-Key: what got no answer is sent again, and still done once. */
export const sentAgain = { retry: (failed: number, error: unknown) => (soon(error) || unreachable(error)) && failed < 2 };
export function idempotencyKey() {
  // Not randomUUID: that is for secure pages, and a Nimbus in the office network may not be one.
  return { 'Idempotency-Key': Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('') };
}
