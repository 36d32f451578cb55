import type { Set } from '../kind';
import { w } from '../messages';
import type { SessionsState } from '../state';
import { By, PeriodChoice, Where, Who } from './parts';

export function SessionsQuestion({ state: s, set }: { state: SessionsState; set: Set<SessionsState> }) {
  return (
    <div className="sentence">
      {w.ask.sessions}<PeriodChoice state={s} set={set} />
      <Who cohort={s.cohort} unit={s.unit} set={set} />
      <Where label={w.ask.whereAll} filter={s.filter} all={w.ask.everybody} onChange={(filter) => set({ filter })} />
      <By kind="sessions" by={s.by} top={s.top} set={set} />
      {s.by && w.ask.firstProp}
    </div>
  );
}
