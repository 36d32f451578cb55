import type { Step } from '@nimbus-analytics/sdk';
import { Choice } from '../../ui/Picker';
import { valuesOf } from '../body';
import type { Set } from '../kind';
import { w } from '../messages';
import type { RetentionState } from '../state';
import { By, EventPicker, PeriodChoice, Where, Who } from './parts';

/** An event that may be any, with its conditions. */
export function StepWords({ label, step, any, onChange }: { label: string; step: Step; any: string; onChange: (step: Step) => void }) {
  const { event, filter } = step;
  return (
    <span className="phrase">
      <EventPicker label={label} value={event} any={any} onPick={(next) => onChange({ ...(next !== undefined && { event: next }), ...(filter && { filter }) })} />
      <Where label={w.ask.whereOf(label)} filter={filter} onChange={(next) => onChange({ ...(event !== undefined && { event }), ...(next && { filter: next }) })} />
    </span>
  );
}

export function RetentionQuestion({ state: s, set }: { state: RetentionState; set: Set<RetentionState> }) {
  const { periods: _, ...unsaid } = s;
  const usually = valuesOf(unsaid);
  return (
    <>
      <div className="sentence">
        {w.ask.first}
        <StepWords label={w.ask.start} step={s.start} any={w.picker.any} onChange={(start) => set({ start })} />
        <Choice label={w.ask.starts} value={s.starts ?? 'first_time'} options={Object.entries(w.ask.startsOf) as ['first_time' | 'recurring', string][]} onChange={(starts) => set({ starts: starts === 'recurring' ? starts : undefined })} />
        {w.ask.andThen}
        <StepWords label={w.ask.back} step={s.return} any={w.picker.any} onChange={(next) => set({ return: next })} />
        <Choice label={w.ask.mode} value={s.mode ?? 'on'} options={Object.entries(w.ask.modes) as ['on' | 'on_or_after' | 'streak', string][]} onChange={(mode) => set({ mode: mode === 'on' ? undefined : mode })} />
      </div>
      <div className="sentence">
        <span className="phrase">{w.ask.each}<PeriodChoice state={s} set={set} /></span>
        <Choice label={w.ask.interval} value={s.interval ?? 'calendar'} options={Object.entries(w.ask.intervals) as ['calendar' | 'rolling', string][]} onChange={(interval) => set({ interval: interval === 'rolling' ? interval : undefined })} />
        <Choice label={w.ask.values} value={String(s.periods ?? '')} options={[['', w.ask.automatic(w.ask.valuesOf(usually))], ...[...new Set([4, 6, 8, 13, 31, s.periods ?? 6])].sort((a, b) => a - b).map((n) => [String(n), w.ask.valuesOf(n)] as [string, string])]} onChange={(n) => set({ periods: n ? Number(n) : undefined })} />
        <Who cohort={s.cohort} unit={s.unit} set={set} />
        <Where label={w.ask.whereAll} filter={s.filter} all={w.ask.everybody} onChange={(filter) => set({ filter })} />
        <By kind="retention" by={s.by} top={s.top} set={set} />
      </div>
    </>
  );
}
