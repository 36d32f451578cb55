/** Files that are made in the page. */
import { csvMarkPref } from '../prefs';

export function download(name: string, content: Blob) {
  const url = URL.createObjectURL(content);
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  URL.revokeObjectURL(url);
}

/** Saves a table as CSV; with a byte order mark where Excel opens it, which takes the file for another encoding without. */
export function downloadCsv(name: string, rows: Parameters<typeof csv>[0]) {
  download(name, new Blob([csvMarkPref.get() === 'on' ? '\ufeff' : '', csv(rows)], { type: 'text/csv;charset=utf-8' }));
}

/** A value of an event or a person as a cell: what is no text and no number as JSON. */
export const cellOf = (value: unknown): string | number | null => (value === undefined || value === null ? null : typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value));

/** CSV by RFC 4180. A cell that a spreadsheet would run as a formula gets an apostrophe in front, which makes it text. */
export function csv(rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (value: string | number | null) => {
    if (value === null) return '';
    if (typeof value === 'number') return String(value);
    // Full-width forms and leading white space too: what counts as a formula depends on the spreadsheet's language.
    const text = /^[\s\u200e\u200f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}
