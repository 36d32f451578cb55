import type { FunnelExclusion, FunnelStep } from '@nimbus-analytics/sdk';
import { IconArrowUp, IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { Button, IconButton } from '../../ui';
import { Choice } from '../../ui/Picker';
import type { Set } from '../kind';
import { w } from '../messages';
import { usual, type FunnelState } from '../state';
import { stepName } from '../text';
import { By, EventPicker, PeriodChoice, PropPicker, Where, Who, WindowChoice } from './parts';


/** What the steps of a funnel were, when one is taken out or moved: an exclusion or a value that named a step is let go. */
const restepped = (s: FunnelState, steps: FunnelStep[]) => ({ steps, exclude: s.exclude?.map(({ event, filter }): FunnelExclusion => ({ ...(event !== undefined && { event }), ...(filter && { filter }) })), of: typeof s.of === 'number' ? undefined : s.of });

export function FunnelQuestion({ state: s, set }: { state: FunnelState; set: Set<FunnelState> }) {
  const [more, setMore] = useState(false);
  const all = more || s.exclude || s.hold || s.attempt || s.of;
  const change = (i: number, step: FunnelStep) => set({ steps: s.steps.map((old, j) => (j === i ? step : old)) });
  return (
    <>
      <div className="sentence">
        {w.ask.who}
        <Choice label={w.ask.counted} value={s.count ?? 'users'} options={Object.entries(w.ask.counts) as ['users' | 'sessions' | 'totals', string][]} onChange={(count) => set({ count: count === 'users' ? undefined : count })} />
        {w.ask.whoDo}
      </div>
      <ol className="steps">
        {s.steps.map((step, i) => (
          // A step has no id: its position is its key.
          <li key={i} className="sentence">
            <i className="ordinal" aria-hidden>{i + 1}</i>
            <Step step={step} label={w.ask.step(i + 1)} onChange={(next) => change(i, next)} middle={i > 0 && i < s.steps.length - 1} />
            {i > 0 && <IconButton className="tiny" label={w.ask.earlier(w.ask.step(i + 1))} icon={IconArrowUp} onClick={() => set(restepped(s, s.steps.with(i - 1, step).with(i, s.steps[i - 1]!)))} />}
            {s.steps.length > 1 && <IconButton className="tiny" label={w.picker.remove(w.ask.step(i + 1))} icon={IconX} onClick={() => set(restepped(s, s.steps.filter((_, j) => j !== i)))} />}
          </li>
        ))}
      </ol>
      <div className="sentence">
        {s.steps.length < 20 && <Button kind="quiet" className="tiny" onClick={() => set({ steps: [...s.steps, {}] })}><IconPlus size={15} aria-hidden />{w.ask.addStep}</Button>}
        <span className="phrase">{w.ask.in}<Choice label={w.ask.order} value={s.order ?? 'ordered'} options={Object.entries(w.ask.orders) as ['ordered' | 'strict' | 'any', string][]} onChange={(order) => set({ order: order === 'ordered' ? undefined : order })} /></span>
        <span className="phrase">{w.ask.within}<WindowChoice value={s.window} usually={usual.window} onChange={(window) => set({ window })} /></span>
        <Who cohort={s.cohort} unit={s.unit} set={set} />
        <Where label={w.ask.whereAll} filter={s.filter} all={w.ask.everybody} onChange={(filter) => set({ filter })} />
        <By kind="funnel" by={s.by} top={s.top} set={set} />
        {s.view === 'series' && <span className="phrase">{w.ask.each}<PeriodChoice state={s} set={set} /></span>}
        <Button kind="quiet" className="tiny" aria-expanded={Boolean(all)} onClick={() => setMore(!more)}>{all ? w.fewer : w.more}</Button>
      </div>
      {all && <Details state={s} set={set} />}
    </>
  );
}

function Step({ step, label, onChange, middle }: { step: FunnelStep; label: string; onChange: (step: FunnelStep) => void; middle: boolean }) {
  if (step.any_of) return <span className="word still">{stepName(step)}</span>; // made by another program: shown, and kept as it is
  const { event: _, ...rest } = step;
  const { filter: __, ...unfiltered } = step;
  return (
    <>
      <EventPicker label={label} value={step.event} onPick={(event) => onChange({ ...rest, ...(event !== undefined && { event }) })} />
      <Where label={w.ask.whereOf(label)} filter={step.filter} onChange={(filter) => onChange({ ...unfiltered, ...(filter && { filter }) })} />
      {middle && <label className="check small"><input type="checkbox" checked={step.optional ?? false} onChange={(e) => onChange({ ...step, optional: e.target.checked })} /><span className="sr">{label} </span>{w.ask.optional}</label>}
    </>
  );
}

function Details({ state: s, set }: { state: FunnelState; set: Set<FunnelState> }) {
  const of = typeof s.of === 'number' ? String(s.of) : (s.of ?? 'first');
  const excluded = s.exclude ?? [];
  const change = (i: number, x: FunnelExclusion | undefined) => {
    const next = x ? excluded.with(i, x) : excluded.filter((_, j) => j !== i);
    set({ exclude: next.length > 0 ? next : undefined });
  };
  return (
    <div className="sentence">
      <Choice label={w.ask.attempt} value={s.attempt ?? 'optimized'} options={Object.entries(w.ask.attempts) as ['optimized' | 'first', string][]} onChange={(attempt) => set({ attempt: attempt === 'first' ? attempt : undefined })} />
      {s.by?.startsWith('prop:') && (
        <Choice
          label={w.ask.of}
          value={of}
          options={[['first', w.ask.ofs.first], ['last', w.ask.ofs.last], ...(s.order === 'any' ? [] : s.steps.map((_, i) => [String(i + 1), w.ask.ofs.step(i + 1)] as const))]}
          onChange={(value) => set({ of: value === 'first' ? undefined : value === 'last' ? 'last' : Number(value) })}
        />
      )}
      <span className="phrase">
        {excluded.length > 0 && w.ask.exclude}
        {excluded.map((x, i) => (
          <span key={i} className="phrase">
            <EventPicker label={w.ask.excludeAdd} value={x.event} onPick={(event) => change(i, event === undefined ? undefined : { ...x, event })} />
            {s.steps.length > 2 && s.order !== 'any' && <Span state={s} exclusion={x} onChange={(next) => change(i, next)} />}
            <IconButton className="tiny" label={w.picker.remove(x.event ?? w.ask.excludeAdd)} icon={IconX} onClick={() => change(i, undefined)} />
          </span>
        ))}
        <EventPicker label={w.ask.excludeAdd} value={undefined} placeholder={w.ask.excludeAdd} onPick={(event) => event !== undefined && set({ exclude: [...excluded, { event }] })} />
      </span>
      <span className="phrase">
        {s.hold && w.ask.holdText}
        {s.hold?.map((prop) => (
          <button key={prop} type="button" className="chip" aria-label={w.picker.remove(prop)} onClick={() => set({ hold: s.hold!.length > 1 ? s.hold!.filter((x) => x !== prop) : undefined })}>{prop}<IconX size={14} aria-hidden /></button>
        ))}
        {(s.hold?.length ?? 0) < 3 && <PropPicker label={w.ask.hold} value={undefined} placeholder={w.ask.holdAdd} onPick={(prop) => prop !== undefined && set({ hold: [...new Set([...(s.hold ?? []), prop])] })} />}
      </span>
    </div>
  );
}

/** Between which steps an event excludes: between the first and the last when nothing is said. */
function Span({ state: s, exclusion: x, onChange }: { state: FunnelState; exclusion: FunnelExclusion; onChange: (x: FunnelExclusion) => void }) {
  const last = s.steps.length;
  const spans = s.steps.flatMap((_, from) => s.steps.flatMap((__, to) => (to > from ? [[from + 1, to + 1] as const] : [])));
  return (
    <Choice
      label={w.ask.excludeFrom}
      value={`${x.from ?? 1} ${x.to ?? last}`}
      options={spans.map(([from, to]) => [`${from} ${to}`, w.ask.between(from, to)])}
      onChange={(span) => {
        const [from, to] = span.split(' ').map(Number);
        onChange({ ...x, from: from!, to: to! });
      }}
    />
  );
}
