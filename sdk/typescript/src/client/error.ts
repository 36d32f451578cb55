import type { FieldError, Problem } from '../gen/index.js';

/**
 * What every call throws when the answer is not a success: the server's problem document (RFC 9457), as an `Error`.
 *
 * `code` is stable: switch on that. A request that got no answer at all has the status 0 and the code `network_error`,
 * with the reason as `cause`; an answer that is not Nimbus's (a proxy's page) has the code `http_<status>`.
 */
export class NimbusError extends Error implements Problem {
  override readonly name = 'NimbusError';
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  /** Every bad field; empty when the error is about something else. */
  readonly errors: FieldError[];
  /** Quote it when asking the operator. */
  readonly request_id: string;
  /** Seconds to wait before trying again, when the server says so. */
  readonly retryAfter: number | undefined;

  constructor(problem: Partial<Problem>, options: { retryAfter?: number | undefined; cause?: unknown } = {}) {
    super(problem.detail ?? problem.title ?? 'The request failed.', options.cause === undefined ? undefined : { cause: options.cause });
    this.type = problem.type ?? 'about:blank';
    this.title = problem.title ?? '';
    this.status = problem.status ?? 0;
    this.detail = problem.detail ?? this.title;
    this.code = problem.code ?? (this.status ? `http_${this.status}` : 'network_error');
    this.errors = problem.errors ?? [];
    this.request_id = problem.request_id ?? '';
    this.retryAfter = options.retryAfter;
  }

  /** The same as `request_id`. */
  get requestId(): string {
    return this.request_id;
  }

  /** What is wrong with each field, by JSON pointer without its leading slash: what a form needs. */
  byField(): Record<string, string> {
    return Object.fromEntries(this.errors.map((e) => [e.pointer.replace(/^\//, ''), e.detail]));
  }
}

/** Makes a NimbusError of whatever went wrong. An abort stays what it is: the caller asked for it. */
export function toNimbusError(thrown: unknown, response?: Response): unknown {
  if (!response) {
    if (thrown instanceof NimbusError || isAbort(thrown)) return thrown;
    return new NimbusError({ title: 'No answer', detail: 'The server could not be reached.' }, { cause: thrown });
  }
  const problem = isObject(thrown) && typeof thrown['code'] === 'string' ? (thrown as Partial<Problem>) : { title: response.statusText };
  return new NimbusError(
    { ...problem, status: response.status, request_id: problem.request_id ?? response.headers.get('X-Request-Id') ?? '' },
    { retryAfter: retryAfter(response.headers) },
  );
}

/** The seconds of Retry-After. Nimbus sends whole seconds; a date, which a proxy may send, is not understood. */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('Retry-After') ?? '';
  return /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

function isObject(x: unknown): x is Record<string, unknown> {
  return typeof x === 'object' && x !== null;
}

function isAbort(x: unknown): boolean {
  return x instanceof Error && (x.name === 'AbortError' || x.name === 'TimeoutError');
}
