/** The session of this browser and the client that every call goes through. Nothing else in the dashboard touches fetch. */
import { client, login, logout, NimbusError, refresh, register, changePassword, type Account, type ChangePasswordRequest, type LoginRequest, type RegisterRequest, type Session } from '@nimbus-analytics/sdk';
import { QueryCache, QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

// The access token lives here and nowhere else. The refresh token is in a cookie that no script can read; this mark only
// says that there was one, so that a first visitor is not refused something he never asked for.
let access: string | undefined;
let account: Account | undefined;
const mark = 'nimbus.session';

const watchers = new Set<() => void>();
const tell = () => watchers.forEach((watcher) => watcher());
const watch = (watcher: () => void) => {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
};

const plain = { auth: undefined, fetch: (...args: Parameters<typeof fetch>) => fetch(...args) };
const sameSite = { 'X-Nimbus-Session': 'cookie' };

function keep(session: Session): Account {
  access = session.access_token;
  account = session.account;
  localStorage.setItem(mark, '1');
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
  /** Whether someone is logged in; asks the server when only the cookie can tell. */
  resume: async () => access !== undefined || (localStorage.getItem(mark) !== null && (await refreshOnce())),
  login: async (body: LoginRequest) => keep((await login({ ...plain, body: { ...body, session: 'cookie' } })).data),
  register: async (body: RegisterRequest) => keep((await register({ ...plain, body: { ...body, session: 'cookie' } })).data),
  changePassword: async (body: ChangePasswordRequest) => keep((await changePassword({ body: { ...body, session: 'cookie' } })).data),
  logout: async () => {
    await logout({ ...plain, headers: sameSite }).catch((error: unknown) => {
      if (!(error instanceof NimbusError) || error.status !== 401) throw error; // it is over already
    });
    forget();
  },
};

export const useAccount = () => useSyncExternalStore(watch, session.account);

client.setConfig({
  baseUrl: location.origin,
  auth: (scheme) => (scheme.scheme === 'bearer' ? access : undefined),
  fetch: async (input, init) => {
    const request = new Request(input, init);
    const again = request.clone(); // a body can be read once
    const used = access;
    const response = await fetch(request);
    if (response.status !== 401 || used === undefined) return response;
    if (access === used && !(await refreshOnce())) return response;
    again.headers.set('Authorization', `Bearer ${access}`);
    return fetch(again);
  },
});

/** Whether the last call found the server; the banner watches it, and says when it is back. */
let away = false;
export const connection = {
  isAway: () => away,
  set: (isAway: boolean) => {
    if (away === isAway) return;
    away = isAway;
    tell();
    if (!away) void queryClient.invalidateQueries();
  },
};
export const useAway = () => useSyncExternalStore(watch, connection.isAway);

const unreachable = (error: unknown) => error instanceof NimbusError && [0, 502, 503, 504].includes(error.status);

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (unreachable(error)) connection.set(true);
    },
  }),
  defaultOptions: {
    queries: { staleTime: 30_000, networkMode: 'always', retry: (failed, error) => unreachable(error) && failed < 1, retryDelay: 500 },
    mutations: { networkMode: 'always' },
  },
});
