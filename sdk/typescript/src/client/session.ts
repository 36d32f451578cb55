import type { Client } from '../gen/client/index.js';
import { client as sharedClient } from '../gen/client.gen.js';
import { login, logout, refresh, register } from '../gen/sdk.gen.js';
import type { Account, LoginRequest, RegisterRequest, Session as Tokens } from '../gen/types.gen.js';
import { createClient, withErrors } from './client.js';
import { NimbusError } from './error.js';

/**
 * Where the refresh token is kept. It is read before every refresh, so that several tabs or processes with one store
 * share one session.
 */
export interface TokenStore {
  get(): string | undefined | Promise<string | undefined>;
  /** Keeps the token; `undefined` forgets it. */
  set(token: string | undefined): void | Promise<void>;
}

/** Keeps the refresh token for as long as the program runs: the default. */
export function memoryStore(token?: string): TokenStore {
  return {
    get: () => token,
    set: (next) => {
      token = next;
    },
  };
}

/** What `webStore` needs of a `Storage`, which platforms without a DOM do not know. */
interface Items {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/**
 * Keeps the refresh token in `localStorage` or `sessionStorage`. Every script of the page can read it there: prefer
 * `memoryStore` unless staying logged in over a reload is worth that.
 */
export function webStore(storage: Items, key = 'nimbus.refresh'): TokenStore {
  return {
    get: () => storage.getItem(key) ?? undefined,
    set: (token) => (token === undefined ? storage.removeItem(key) : storage.setItem(key, token)),
  };
}

/** How to make a session. */
export interface SessionOptions {
  /** The server, such as `https://nimbus.example.com`. */
  baseUrl: string;
  /** Where the refresh token is kept; in memory by default. */
  store?: TokenStore;
  /** The client to log in; a new one by default. Pass the package's `client` to make its calls the session's. */
  client?: Client;
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch;
  /** Called when the session has ended: by `logout`, or because the server refused the refresh token. */
  onEnd?: () => void;
}

/** A person's session: it logs in, and keeps every call of its client logged in. */
export interface ClientSession {
  /** Pass it to the operations. Its calls carry the access token, and are repeated once after a refresh. */
  readonly client: Client;
  /** Creates an account and logs it in. */
  register(body: RegisterRequest): Promise<Account>;
  login(body: LoginRequest): Promise<Account>;
  /** Takes up the session of the stored refresh token; `undefined` when there is none or it is no longer good. */
  resume(): Promise<Account | undefined>;
  /** Ends the session on the server and forgets its tokens, also when the server cannot be reached. */
  logout(): Promise<void>;
  /** The access token, refreshed when there is none; for what cannot go through the client. */
  accessToken(): Promise<string | undefined>;
}

/**
 * Makes a session. The access token lives in memory only. When a call meets a 401, the tokens are refreshed once however
 * many calls met it together (across tabs too, where the platform has Web Locks), and the call is repeated.
 */
export function createSession(options: SessionOptions): ClientSession {
  const store = options.store ?? memoryStore();
  const plainFetch: typeof fetch = options.fetch ?? ((...args) => globalThis.fetch(...args));
  // Logging in and refreshing must not themselves wait for a refresh.
  const plain = createClient({ baseUrl: options.baseUrl, fetch: plainFetch });
  const client = withErrors(options.client ?? createClient({ baseUrl: options.baseUrl }));

  let access: string | undefined;
  let refreshing: Promise<Account | undefined> | undefined;
  /** Counts logging in and out: what a refresh from before brings is too late. */
  let era = 0;

  const keep = async (tokens: Tokens): Promise<Account> => {
    era++;
    access = tokens.access_token;
    await store.set(tokens.refresh_token);
    return tokens.account;
  };
  const forget = async (): Promise<void> => {
    era++;
    access = undefined;
    await store.set(undefined);
    options.onEnd?.();
  };

  const exchange = async (): Promise<Account | undefined> => {
    const own = era;
    const token = await store.get();
    if (token === undefined) {
      // Another tab has logged out.
      if (own === era && access !== undefined) await forget();
      return undefined;
    }
    try {
      const { data } = await refresh({ client: plain, headers: { Authorization: `Bearer ${token}` } });
      return own === era ? await keep(data) : undefined;
    } catch (error) {
      // Only a refusal ends the session: a server that is away for a moment must not log anyone out.
      if (!(error instanceof NimbusError) || error.status !== 401) throw error;
      if (own === era) await forget();
      return undefined;
    }
  };
  const refreshOnce = (): Promise<Account | undefined> => {
    refreshing ??= exclusively(options.baseUrl, exchange).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };

  client.setConfig({
    baseUrl: options.baseUrl,
    throwOnError: true,
    auth: (scheme) => (scheme.scheme === 'bearer' ? access : undefined),
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const again = request.clone(); // a body can be read once
      const used = access;
      const response = await plainFetch(request);
      if (response.status !== 401) return response;
      // Another call may have refreshed while this one was under way.
      if (access === used) await refreshOnce();
      if (access === undefined) return response;
      again.headers.set('Authorization', `Bearer ${access}`);
      return plainFetch(again);
    },
  });

  return {
    client,
    register: async (body) => keep((await register({ client: plain, body })).data),
    login: async (body) => keep((await login({ client: plain, body })).data),
    resume: refreshOnce,
    logout: async () => {
      const token = (await store.get()) ?? access;
      try {
        if (token !== undefined) await logout({ client: plain, headers: { Authorization: `Bearer ${token}` } });
      } catch (error) {
        // A session that the server no longer knows is what was asked for.
        if (!(error instanceof NimbusError) || error.status !== 401) throw error;
      } finally {
        await forget();
      }
    },
    accessToken: async () => {
      if (access === undefined) await refreshOnce();
      return access;
    },
  };
}

/** The client that the operations use when a call names none. `createSession({ baseUrl, client })` logs it in. */
export const client: Client = withErrors(sharedClient);

/** Runs one refresh at a time among everything that shares the origin: each refresh token works once. */
async function exclusively<T>(name: string, run: () => Promise<T>): Promise<T> {
  const locks = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
  return locks ? ((await locks.request(`nimbus.refresh ${name}`, run)) as T) : run();
}
