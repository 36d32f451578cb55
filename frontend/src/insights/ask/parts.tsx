/** The words that the sentences of all kinds are made of. */
import type { MetricsFilter, Period } from '@nimbus-analytics/sdk';
import { IconFilter } from '@tabler/icons-react';
import { useState } from 'react';
import { number } from '../../format';
import { useCohorts, useProjectId } from '../../hooks';
import { m } from '../../messages';
import { FilterEditor, type About } from '../../query/FilterEditor';
import { filterText } from '../../query/filter';
import type { Range } from '../../query/range';
import { Button, SelectField, TextField } from '../../ui';
import { Choice, Picker, type Option } from '../../ui/Picker';
import { Popover } from '../../ui/Popover';
import { periodOf } from '../body';
import { recent, remember, useEvents, useProps, type Known } from '../../query/known';
import { w } from '../messages';
import { periods, usual } from '../state';
import { secondsOf, windowParts, windowText } from '../text';

const any = '';

function useOptions(what: string, known: readonly Known[], group: string): Option[] {
  const projectId = useProjectId();
  const note = ({ count }: Known) => (count === undefined ? undefined : number(count));
  const counts = new Map(known.map((one) => [one.value, one]));
  // What was picked last stands first; each name is in the list once.
  const latest = recent(projectId, what).filter((value) => counts.has(value));
  return [
    ...latest.map((value): Option => ({ value, note: `${w.picker.recent}${note(counts.get(value)!) ? ` · ${note(counts.get(value)!)}` : ''}`, group: w.picker.recent })),
    ...known.filter(({ value }) => !latest.includes(value)).map((one): Option => ({ value: one.value, ...(note(one) && { note: note(one)! }), group })),
  ];
}

interface EventProps {
  label: string;
  value: string | undefined;
  onPick: (event: string | undefined) => void;
  /** Whether any event may be meant, and in which words. */
  any?: string;
  placeholder?: string;
}

export function EventPicker({ label, value, onPick, any: anyText, placeholder = w.ask.choose }: EventProps) {
  const projectId = useProjectId();
  const events = useEvents();
  const options = useOptions('events', events, w.picker.events);
  const unknown = value !== undefined && events.length > 0 && !events.some((e) => e.value === value);
  return (
    <>
      <Picker
        label={label}
        shown={value ?? anyText ?? placeholder}
        open={value === undefined && anyText === undefined}
        options={anyText === undefined ? options : [{ value: any, label: anyText }, ...options]}
        search={w.picker.search}
        none={w.picker.none}
        free={w.picker.unknownEvent}
        onPick={(event) => {
          if (event !== any) remember(projectId, 'events', event);
          onPick(event === any ? undefined : event);
        }}
      />
      {unknown && <span className="badge warn">{w.picker.unknown}</span>}
    </>
  );
}

export function PropPicker({ label, value, onPick, none, placeholder = w.picker.anyProp }: { label: string; value: string | undefined; onPick: (prop: string | undefined) => void; none?: string; placeholder?: string }) {
  const projectId = useProjectId();
  const options = useOptions('props', useProps(), w.picker.props);
  return (
    <Picker
      label={label}
      shown={value ?? placeholder}
      open={value === undefined}
      options={none === undefined || value === undefined ? options : [{ value: any, label: none }, ...options]}
      search={w.picker.search}
      none={w.picker.none}
      free={w.picker.use}
      onPick={(prop) => {
        if (prop !== any) remember(projectId, 'props', prop);
        onPick(prop === any ? undefined : prop);
      }}
    />
  );
}

/** Conditions as a word, which opens their editor. */
export function Where({ label, filter, onChange, all = w.ask.where, about, opened = false }: { label: string; filter: MetricsFilter | undefined; onChange: (filter: MetricsFilter | undefined) => void; all?: string; about?: About; opened?: boolean }) {
  const [open, setOpen] = useState(opened);
  return (
    <span className="picker">
      <button type="button" className={`word ${filter ? '' : 'blank'}`} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="sr">{label}: </span>
        <IconFilter size={14} aria-hidden />
        <span className="truncate">{filter ? filterText(filter) : all}</span>
      </button>
      {open && (
        <Popover label={label} onClose={() => setOpen(false)}>
          <FilterEditor filter={filter} onChange={onChange} {...(about && { about })} />
        </Popover>
      )}
    </span>
  );
}

/** Who is asked about: everybody, or the people of a saved cohort. Without cohorts there is nothing to choose. */
export function Who({ cohort, set }: { cohort: string | undefined; set: (change: { cohort?: string | undefined }) => void }) {
  const cohorts = useCohorts(useProjectId()).data?.items ?? [];
  if (cohorts.length === 0 && cohort === undefined) return null;
  const shown = cohort === undefined ? w.ask.anybody : (cohorts.find((c) => c.id === cohort)?.name ?? w.ask.lostCohort);
  return (
    <span className="phrase">
      {w.ask.among}
      <Picker label={w.ask.people} shown={shown} options={[{ value: any, label: w.ask.anybody }, ...cohorts.map((c): Option => ({ value: c.id, label: c.name, note: w.ask.cohortKinds[c.kind] }))]} search={w.picker.search} none={w.picker.none} onPick={(id) => set({ cohort: id === any ? undefined : id })} />
    </span>
  );
}

/** The breakdown: a property, and how many of its values. */
export function By({ by, top = usual.top, set }: { by: string | undefined; top: number | undefined; set: (change: { by?: string | undefined; top?: number | undefined }) => void }) {
  return (
    <span className="phrase">
      {w.ask.by}
      <PropPicker label={w.ask.byLabel} value={by?.slice('prop:'.length)} none={w.picker.anyProp} onPick={(prop) => set({ by: prop && `prop:${prop}` })} />
      {by && <Choice label={w.ask.top} value={String(top)} options={[...new Set([3, 5, 10, 20, 50, top])].sort((a, b) => a - b).map((n) => [String(n), w.ask.topOf(n)])} onChange={(n) => set({ top: Number(n) })} />}
    </span>
  );
}

export function PeriodChoice({ state, set, words = w.period }: { state: { kind: string; bucket?: Period } & Range; set: (change: { bucket?: Period | undefined }) => void; words?: Record<Period, string> }) {
  const { bucket: _, ...usually } = state;
  const automatic = words[periodOf(usually)];
  return <Choice label={w.ask.bucket} value={state.bucket ?? ''} options={[['', w.ask.automatic(automatic)], ...periods.map((p) => [p, words[p]] as const)]} onChange={(p) => set({ bucket: p || undefined })} />;
}

/** How long something may take: usual lengths, and any other. */
export function WindowChoice({ value, usually, onChange }: { value: number | undefined; usually: number; onChange: (seconds: number | undefined) => void }) {
  const [asks, setAsks] = useState(false);
  const now = value ?? usually;
  const usualOnes = [900, 3600, 86_400, 3 * 86_400, 7 * 86_400, 14 * 86_400, 30 * 86_400, 90 * 86_400];
  const parts = windowParts(now);
  return (
    <span className="picker">
      <button type="button" className="word" aria-haspopup="dialog" aria-expanded={asks} onClick={() => setAsks(!asks)}><span className="sr">{w.ask.window}: </span>{windowText(now)}</button>
      {asks && (
        <Popover label={w.ask.window} onClose={() => setAsks(false)}>
          <div className="chips">
            {usualOnes.map((seconds) => (
              <button
                key={seconds}
                type="button"
                className="chip"
                aria-pressed={seconds === now}
                onClick={() => {
                  setAsks(false);
                  onChange(seconds === usually ? undefined : seconds);
                }}
              >
                {windowText(seconds)}
              </button>
            ))}
          </div>
          <form
            className="row"
            style={{ alignItems: 'flex-end' }}
            onSubmit={(e) => {
              e.preventDefault();
              const form = new FormData(e.currentTarget);
              const seconds = Math.min(31_622_400, secondsOf(Number(form.get('count')), form.get('unit') as 'd'));
              setAsks(false);
              onChange(seconds === usually ? undefined : seconds);
            }}
          >
            <TextField label={w.ask.windowCount} name="count" type="number" min={1} max={31_622_400} required defaultValue={parts.count} />
            <SelectField label={w.ask.unit} name="unit" defaultValue={parts.unit}>
              {Object.entries(w.ask.windowUnits).map(([unit, text]) => (
                <option key={unit} value={unit}>{text}</option>
              ))}
            </SelectField>
            <Button type="submit">{m.range.apply}</Button>
          </form>
        </Popover>
      )}
    </span>
  );
}
