/** How often and when somebody did something, as words of a sentence. */
import type { Times, Within } from '@nimbus-analytics/sdk';
import { useState } from 'react';
import { addDays, date, isoDay, number, startOfDay } from '../format';
import { m } from '../messages';
import { zonePref } from '../prefs';
import { Button, TextField } from '../ui';
import { Choice } from '../ui/Picker';
import { Popover } from '../ui/Popover';
import { oftenOf, timesOf, type Often } from './clause';
import { p } from './messages';

const c = p.clause;
const most = 1_000_000;
type Way = keyof typeof c.oftens;

function wayOf(times: Times | undefined, { from, to }: Often): Way {
  if (times === undefined) return 'once';
  if (to === undefined) return 'least';
  return from === to ? 'exactly' : from === 0 ? 'most' : 'between';
}
const ofWay: Record<Way, (n: number) => Often> = {
  once: () => ({ from: 1 }),
  least: (n) => ({ from: Math.max(2, n) }),
  exactly: (n) => ({ from: n, to: n }),
  most: (n) => ({ from: 0, to: Math.max(1, n) }),
  between: (n) => ({ from: Math.max(1, n), to: Math.max(1, n) + 1 }),
};

export function OftenWords({ times, onChange }: { times: Times | undefined; onChange: (times: Times | undefined) => void }) {
  const often = oftenOf(times);
  const way = wayOf(times, often);
  const count = way === 'most' ? often.to! : often.from;
  const say = (next: Often) => onChange(timesOf(next));
  return (
    <span className="phrase">
      <Choice label={c.often} value={way} options={Object.entries(c.oftens) as [Way, string][]} onChange={(next) => say(ofWay[next](count))} />
      {way !== 'once' && (
        <>
          {/* At least once has words of its own: a bound of 1 would turn into them. */}
          <Count label={c.count} value={count} least={way === 'least' ? 2 : way === 'between' ? 1 : 0} onChange={(n) => say(way === 'between' ? { from: n, to: Math.max(n + 1, often.to!) } : ofWay[way](n))} />
          {way === 'between' && <>{c.andUpTo}<Count label={c.countTo} value={often.to!} least={often.from + 1} onChange={(to) => say({ from: often.from, to })} /></>}
          {c.times(way === 'between' ? often.to! : count)}
        </>
      )}
    </span>
  );
}

/** A number that is taken as soon as it is one that fits. */
function Count({ label, value, least, onChange }: { label: string; value: number; least: number; onChange: (n: number) => void }) {
  const [typed, setTyped] = useState<string>();
  const fits = (text: string) => /^\d{1,7}$/.test(text) && Number(text) >= least && Number(text) <= most;
  return (
    <input
      className="input count"
      type="number"
      aria-label={label}
      min={least}
      max={most}
      value={typed ?? value}
      onChange={(e) => {
        setTyped(e.target.value);
        if (fits(e.target.value)) onChange(Number(e.target.value));
      }}
      onBlur={() => setTyped(undefined)}
    />
  );
}

const usualDays = [1, 7, 14, 30, 60, 90, 180, 365];

function withinText(within: Within | undefined, zone: string): string {
  if (!within) return c.ever;
  if (within.last_days !== undefined) return c.lastDays(within.last_days, number(within.last_days));
  const from = within.from && date(within.from, zone);
  const to = within.to && date(new Date(Date.parse(within.to) - 1).toISOString(), zone);
  return from && to ? c.span(from, to) : from ? c.after(from) : to ? c.before(to) : c.ever;
}

/** Since when: ever, so many days, or from one day to another. */
export function WithinChoice({ within, onChange, always = false }: { within: Within | undefined; onChange: (within: Within | undefined) => void; always?: boolean }) {
  const zone = zonePref.use();
  const [open, setOpen] = useState(false);
  const say = (next: Within | undefined) => {
    setOpen(false);
    onChange(next);
  };
  return (
    <span className="picker">
      <button type="button" className="word" aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}><span className="sr">{c.within}: </span><span className="truncate">{withinText(within, zone)}</span></button>
      {open && (
        <Popover label={c.within} onClose={() => setOpen(false)}>
          <div className="chips">
            {!always && <button type="button" className="chip" aria-pressed={within === undefined} onClick={() => say(undefined)}>{c.ever}</button>}
            {usualDays.map((days) => (
              <button key={days} type="button" className="chip" aria-pressed={within?.last_days === days} onClick={() => say({ last_days: days })}>{c.lastDays(days, number(days))}</button>
            ))}
          </div>
          <Spans within={within} zone={zone} say={say} />
        </Popover>
      )}
    </span>
  );
}

function Spans({ within, zone, say }: { within: Within | undefined; zone: string; say: (within: Within) => void }) {
  const [today] = useState(() => isoDay(Date.now(), zone));
  const [wrong, setWrong] = useState(false);
  return (
    <>
      <form
        className="row bottom"
        onSubmit={(e) => {
          e.preventDefault();
          say({ last_days: Number(new FormData(e.currentTarget).get('days')) });
        }}
      >
        <TextField label={m.range.last} name="days" type="number" min={1} max={3660} required defaultValue={within?.last_days ?? 30} />
        <span className="unit">{c.daysWord}</span>
        <Button type="submit" className="end">{m.range.apply}</Button>
      </form>
      <form
        className="row bottom"
        onSubmit={(e) => {
          e.preventDefault();
          const form = new FormData(e.currentTarget);
          const [from, to] = [form.get('from') as string, form.get('to') as string];
          if (from > to) return setWrong(true);
          say({ from: startOfDay(from, zone).toISOString(), to: startOfDay(addDays(to, 1), zone).toISOString() });
        }}
      >
        <TextField label={c.from} name="from" type="date" required defaultValue={within?.from ? isoDay(within.from, zone) : addDays(today, -30)} error={wrong ? m.range.invalid : undefined} />
        <TextField label={c.to} name="to" type="date" required defaultValue={within?.to ? isoDay(Date.parse(within.to) - 1, zone) : today} />
        <Button type="submit">{m.range.apply}</Button>
      </form>
    </>
  );
}
