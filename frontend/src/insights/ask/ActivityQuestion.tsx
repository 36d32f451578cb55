import { Choice } from '../../ui/Picker';
import type { Set } from '../kind';
import { w } from '../messages';
import type { ActivityState } from '../state';
import { By, EventPicker, PeriodChoice, Where, Who } from './parts';

/** The sentences of lifecycle and of stickiness: an event, a period and conditions. */
export function LifecycleQuestion({ state: s, set }: { state: ActivityState; set: Set<ActivityState> }) {
  return (
    <div className="sentence">
      {w.ask.lifecycle}<PeriodChoice state={s} set={set} />
      {w.ask.lifecycleWho}<EventPicker label={w.ask.event} value={s.event} any={w.picker.any} onPick={(event) => set({ event })} />
      <Who cohort={s.cohort} unit={s.unit} set={set} />
      <Where label={w.ask.whereAll} filter={s.filter} all={w.ask.everybody} onChange={(filter) => set({ filter })} />
      <By kind="lifecycle" by={s.by} top={s.top} set={set} />
    </div>
  );
}

export function StickinessQuestion({ state: s, set }: { state: ActivityState; set: Set<ActivityState> }) {
  return (
    <div className="sentence">
      {w.ask.stickiness}<PeriodChoice state={s} set={set} words={w.periods} />
      {w.ask.stickinessDid}<EventPicker label={w.ask.event} value={s.event} any={w.picker.any} onPick={(event) => set({ event })} />
      <Who cohort={s.cohort} unit={s.unit} set={set} />
      <Where label={w.ask.whereAll} filter={s.filter} all={w.ask.everybody} onChange={(filter) => set({ filter })} />
      <By kind="stickiness" by={s.by} top={s.top} set={set} />
      <Choice label={w.ask.stickinessMode} value={s.least ? 'least' : 'exactly'} options={[['exactly', w.ask.exactly], ['least', w.ask.least]]} onChange={(mode) => set({ least: mode === 'least' || undefined })} />
    </div>
  );
}
