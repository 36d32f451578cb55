/** The state of the live page in the address. */
export interface LiveSearch {
  /** Only events of these names. */
  name?: string[];
  /** The event that is open. */
  event?: string;
}

export function parseLive(s: Record<string, unknown>): LiveSearch {
  const names = [s['name']].flat().filter((n): n is string => typeof n === 'string' && n !== '' && n.length <= 200);
  return {
    ...(names.length > 0 && { name: [...new Set(names)].slice(0, 50) }),
    ...(typeof s['event'] === 'string' && s['event'].length <= 64 && { event: s['event'] }),
  };
}
