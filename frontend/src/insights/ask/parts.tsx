/** The words that the sentences of all kinds are made of. */
import type { MetricsFilter, Period } from '@nimbus-analytics/sdk';
import { IconFilter } from '@tabler/icons-react';
import { useState } from 'react';
import { number } from '../../format';
import { propPath, useCohorts, useProfileProps, useProjectId } from '../../hooks';
import { m } from '../../messages';
import { FilterEditor, type About } from '../../query/FilterEditor';
import { filterText } from '../../query/filter';
import type { Range } from '../../query/range';
import { Button, SelectField, TextField } from '../../ui';
import { Choice, Picker, type Option } from '../../ui/Picker';
import { Popover } from '../../ui/Popover';
import { byName, isByProfile, periodOf } from '../body';
import { recent, remember, useEvents, useProps, type Known } from '../../query/known';
import { w } from '../messages';
import { breakdowns, periods, usual, type Kind } from '../state';
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
  /** Offers any event, without meaning it when nothing is picked. */
  anyOption?: string;
  placeholder?: string;
}

export function EventPicker({ label, value, onPick, any: anyText, anyOption = anyText, placeholder = w.ask.choose }: EventProps) {
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
        options={anyOption === undefined ? options : [{ value: any, label: anyOption }, ...options]}
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

/** Who is counted, people or groups such as companies, and who is asked about: everybody, or the people of a saved cohort. */
export function Who({ cohort, unit, set }: { cohort: string | undefined; unit?: string | undefined; set: (change: { cohort?: string | undefined; unit?: string | undefined }) => void }) {
  const cohorts = useCohorts(useProjectId()).data?.items ?? [];
  const types = useProps();
  const shown = cohort === undefined ? w.ask.anybody : (cohorts.find((c) => c.id === cohort)?.name ?? w.ask.lostCohort);
  return (
    <>
      <span className="phrase">
        {w.ask.counting}
        <Picker
          label={w.ask.unitLabel}
          shown={unit === undefined ? w.ask.unitPeople : w.ask.unitOf(unit)}
          options={[{ value: any, label: w.ask.unitPeople }, ...types.map(({ value }): Option => ({ value, label: w.ask.unitOf(value) }))]}
          search={w.picker.search}
          none={w.picker.none}
          free={w.ask.unitOf}
          onPick={(type) => set({ unit: type === any ? undefined : type.slice(0, 64) })}
        />
      </span>
      {(cohorts.length > 0 || cohort !== undefined) && (
        <span className="phrase">
          {w.ask.among}
          <Picker label={w.ask.people} shown={shown} options={[{ value: any, label: w.ask.anybody }, ...cohorts.map((c): Option => ({ value: c.id, label: c.name, note: w.ask.cohortKinds[c.kind] }))]} search={w.picker.search} none={w.picker.none} onPick={(id) => set({ cohort: id === any ? undefined : id })} />
        </span>
      )}
    </>
  );
}

/** The breakdown: a property of events or of people's profiles, or the event, and how many of its values. */
export function By({ kind, by, top, set, tops = true }: { kind: Kind; by: string | undefined; top?: number | undefined; set: (change: { by?: string | undefined; top?: number | undefined }) => void; tops?: boolean }) {
  const projectId = useProjectId();
  const of = breakdowns[kind] as readonly string[];
  const ofEvents = useOptions('props', useProps(), w.picker.props).map((o): Option => ({ ...o, value: `prop:${o.value}`, label: o.value }));
  const ofPeople = useProfileProps().map(({ name }): Option => ({ value: `profile:${propPath(name)}`, label: name, note: w.picker.profile }));
  const nameOfEvent: Option = { value: 'name', label: w.picker.nameOfEvent };
  const usually = kind === 'trends' ? usual.trendsTop : usual.top;
  const count = top ?? usually;
  const shown = by === undefined ? w.picker.anyProp : by === 'name' ? w.picker.nameOfEvent : byName(by);
  return (
    <span className="phrase">
      {w.ask.by}
      <Picker
        label={w.ask.byLabel}
        shown={isByProfile(by) ? w.ask.profileOf(shown) : shown}
        open={by === undefined}
        options={[...(by === undefined ? [] : [{ value: any, label: w.picker.anyProp }]), ...(of.includes('name') ? [nameOfEvent] : []), ...(of.includes('prop') ? ofEvents : []), ...ofPeople]}
        search={w.picker.search}
        none={of.includes('prop') ? w.picker.none : w.picker.noProfile}
        free={(text) => (of.includes('prop') ? w.picker.use(text) : w.picker.useProfile(text))}
        onPick={(picked) => {
          if (picked.startsWith('prop:')) remember(projectId, 'props', byName(picked));
          const typed = picked !== any && picked !== 'name' && !/^(prop|profile):/.test(picked);
          set({ by: picked === any ? undefined : typed ? `${of.includes('prop') ? 'prop' : 'profile'}:${picked}` : picked });
        }}
      />
      {by && tops && <Choice label={w.ask.top} value={String(count)} options={[...new Set([3, 5, 10, 20, 50, count])].sort((a, b) => a - b).map((n) => [String(n), w.ask.topOf(n)])} onChange={(n) => set({ top: Number(n) === usually ? undefined : Number(n) })} />}
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
