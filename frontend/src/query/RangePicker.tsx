import { useState } from 'react';
import { addDays, date, isoDay, startOfDay } from '../format';
import { m } from '../messages';
import { Button, Dialog, SelectField, TextField } from '../ui';
import { calendars, countOf, describeRange, presets, type Range } from './range';

/** Presets, any number of hours to months, or days of the calendar in the zone that was chosen; with `none` no range at all, in these words. */
export function RangePicker({ range, zone, none, onChange }: { range: Range; zone: string; none?: string; onChange: (range: Range) => void }) {
  const [custom, setCustom] = useState(false);
  const known = range.range !== undefined && ([...presets, ...calendars] as readonly string[]).includes(range.range);
  const unset = none !== undefined && range.range === undefined && range.from === undefined;
  return (
    <>
      <select
        className="input range"
        aria-label={m.range.label}
        value={unset ? '' : (range.range ?? 'custom-value')}
        onChange={(e) => (e.target.value === 'custom' ? setCustom(true) : onChange(e.target.value === '' ? {} : { range: e.target.value }))}
      >
        {none !== undefined && <option value="">{none}</option>}
        {presets.map((p) => (
          <option key={p} value={p}>{m.range.presets[p]}</option>
        ))}
        <optgroup label={m.range.calendarLabel}>
          {calendars.map((name) => (
            <option key={name} value={name}>{m.range.calendar[name]}</option>
          ))}
        </optgroup>
        {!known && !unset && <option value={range.range ?? 'custom-value'}>{describeRange(range, (iso) => date(iso, zone))}</option>}
        <option value="custom">{m.range.custom}</option>
      </select>
      {custom && (
        <CustomRange
          range={range}
          zone={zone}
          onClose={() => setCustom(false)}
          onChange={(next) => {
            setCustom(false);
            onChange(next);
          }}
        />
      )}
    </>
  );
}

function CustomRange({ range, zone, onChange, onClose }: { range: Range; zone: string; onChange: (range: Range) => void; onClose: () => void }) {
  const relative = range.range === undefined || (calendars as readonly string[]).includes(range.range) ? undefined : countOf(range.range);
  const [today] = useState(() => isoDay(Date.now(), zone));
  const [from, setFrom] = useState(range.from ? isoDay(range.from, zone) : addDays(today, -13));
  const [to, setTo] = useState(range.to ? isoDay(Date.parse(range.to) - 1, zone) : today);
  const [count, setCount] = useState(relative?.count ?? '14');
  const [unit, setUnit] = useState<string>(relative?.unit ?? 'd');
  const wrong = from > to || from === '' || to === '';
  return (
    <Dialog title={m.range.customTitle} onClose={onClose}>
      <div className="stack">
        <form
          className="row"
          style={{ alignItems: 'flex-end' }}
          onSubmit={(e) => {
            e.preventDefault();
            onChange({ range: `${Number(count)}${unit}` });
          }}
        >
          <TextField label={m.range.last} type="number" min={1} max={9999} required value={count} onChange={(e) => setCount(e.target.value)} />
          <SelectField label={m.range.unitLabel} value={unit} onChange={(e) => setUnit(e.target.value)}>
            {Object.entries(m.range.unit).map(([value, label]) => (
              <option key={value} value={value}>{label}</option>
            ))}
          </SelectField>
          <Button type="submit" className="end">{m.range.apply}</Button>
        </form>
        <form
          className="stack"
          onSubmit={(e) => {
            e.preventDefault();
            if (!wrong) onChange({ from: startOfDay(from, zone).toISOString(), to: startOfDay(addDays(to, 1), zone).toISOString() });
          }}
        >
          <h3>{m.range.or}</h3>
          <div className="row" style={{ alignItems: 'flex-start' }}>
            <div className="grow"><TextField label={m.range.from} type="date" required value={from} max={today} onChange={(e) => setFrom(e.target.value)} /></div>
            <div className="grow"><TextField label={m.range.to} type="date" required value={to} max={today} onChange={(e) => setTo(e.target.value)} error={wrong ? m.range.invalid : undefined} /></div>
          </div>
          <Button kind="primary" type="submit" disabled={wrong}>{m.range.apply}</Button>
        </form>
      </div>
    </Dialog>
  );
}
