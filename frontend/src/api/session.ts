/** The session of this browser, and the client that every call goes through. */
import { client, getAuthMethods, login, logout, NimbusError, refresh, register, changePassword, completePasswordReset, type Account, type AuthMethods, type ChangePasswordRequest, type CompletePasswordResetRequest, type LoginRequest, type RegisterRequest, type Session } from '@nimbus-analytics/sdk';
import { useSyncExternalStore } from 'react';
import { nimbusUrl } from '../base';
import { signal } from '../lib/signal';
import { storage } from '../lib/storage';
import { queryClient } from './cache';
import { readClock } from './clock';

// The access token is in memory only, and the refresh token in a cookie that no script can read. This mark says that the
// cookie may be there: without it, the page does not ask for a session that a first visitor never had.
const mark = 'nimbus.session';
let access: string | undefined;
let account: Account | undefined;
let ended = false;
const { watch, notify } = signal();

const plain = { auth: undefined, fetch: (...args: Parameters<typeof fetch>) => fetch(...args) };
const sameSite = { 'X-Nimbus-Session': 'cookie' };

function begin(session: Session): Account {
  const another = account !== undefined && account.id !== session.account.id;
  access = session.access_token;
  account = session.account;
  ended = false;
  storage.set(mark, '1');
  // All tabs share the cookie, and somebody else may have logged in in another one.
  if (another) void queryClient.resetQueries();
  notify();
  return account;
}

function end() {
  access = account = undefined;
  storage.remove(mark);
  queryClient.clear();
  notify();
}

let refreshing: Promise<boolean> | undefined;

/** One refresh at a time, however many calls met a 401 together; across tabs too, where the browser has locks. */
function refreshOnce(): Promise<boolean> {
  const exchange = async () => {
    try {
      begin((await refresh({ ...plain, headers: sameSite })).data);
      return true;
    } catch (error) {
      // Only a 401 ends the session: a server that is away for a moment must not log anyone out.
      if (!(error instanceof NimbusError) || error.status !== 401) throw error;
      ended = true;
      end();
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
  /** Whether a session ended otherwise than by logging out. */
  ended: () => ended,
  /** Whether somebody is logged in; asks the server when only the cookie can tell, and always where no mark can be kept. */
  resume: async () => access !== undefined || ((storage.get(mark) !== null || !storage.isLasting()) && (await refreshOnce())),
  login: async (body: LoginRequest) => begin((await login({ ...plain, body: { ...body, session: 'cookie' } })).data),
  register: async (body: RegisterRequest) => begin((await register({ ...plain, body: { ...body, session: 'cookie' } })).data),
  /** The ways to log in here. A server that does not say, or cannot be asked, takes passwords. */
  methods: async (): Promise<AuthMethods> => (await getAuthMethods({ ...plain, throwOnError: false })).data ?? { password: true, oidc: { enabled: false }, registration: 'open', empty: false, setup_token: false, password_reset_by_mail: false },
  /** The page comes back from the identity provider with a cookie, and must know to look for it. */
  leaveForProvider: () => storage.set(mark, '1'),
  resetPassword: async (body: CompletePasswordResetRequest) => begin((await completePasswordReset({ ...plain, body: { ...body, session: 'cookie' } })).data),
  changePassword: async (body: ChangePasswordRequest) => begin((await changePassword({ body: { ...body, session: 'cookie' } })).data),
  logout: async () => {
    await logout({ ...plain, headers: sameSite }).catch((error: unknown) => {
      if (!(error instanceof NimbusError) || error.status !== 401) throw error; // a 401 says that it is over already
    });
    end();
  },
};

export const useAccount = () => useSyncExternalStore(watch, session.account);

/** A wrong password is a 401 too, but the session is good: sending it again would count as a second attempt. */
async function isWrongPassword(response: Response): Promise<boolean> {
  const problem = (await response.clone().json().catch(() => null)) as { code?: string } | null;
  return problem?.code === 'invalid_credentials';
}

client.setConfig({
  baseUrl: nimbusUrl,
  auth: (scheme) => (scheme.scheme === 'bearer' ? access : undefined),
  fetch: async (input, init) => {
    const request = new Request(input, init);
    const again = request.clone(); // a body can be read once
    const [used, asked] = [access, account?.id];
    const response = await fetch(request);
    readClock(response);
    if (response.status !== 401 || used === undefined || (await isWrongPassword(response))) return response;
    if (access === used && !(await refreshOnce())) return response;
    if (account?.id !== asked) return response; // what one account asked for is not done as another
    again.headers.set('Authorization', `Bearer ${access}`);
    return fetch(again);
  },
});
