/** What programs write where there is no id: taken as one, it would make one person of everybody. The server has the same list. */
const junk =
  /^(|null|\(null\)|<null>|nil|<nil>|none|undefined|nan|na|n\/a|unknown|not set|\(not set\)|anon(ymous(_id)?)?|guest|user(_?id)?|system|backend|not_authenticated|unidentified|id|distinct_?id|email|0|-1|true|false|\[]|{}|\[object object]|0{8}-(0{4}-){3}0{12}|0{32})$/i;

/** The id of a person, or nothing when it is none: neither text nor number, too long, or a word for nobody. */
export function personOf(id: unknown): string | undefined {
  const text = /^(string|number|bigint)$/.test(typeof id) ? String(id) : '';
  // eslint-disable-next-line typescript/no-misused-spread -- code points are what the server counts
  return junk.test(text.trim()) || [...text].length > 200 ? undefined : text;
}
