import type { Anchor } from '@nimbus-analytics/sdk';
import { IconX } from '@tabler/icons-react';
import { Choice } from '../../ui/Picker';
import type { Set } from '../kind';
import { w } from '../messages';
import { usual, type PathsState } from '../state';
import { By, EventPicker, PropPicker, Where, Who, WindowChoice } from './parts';

export function PathsQuestion({ state: s, set }: { state: PathsState; set: Set<PathsState> }) {
  const left = s.exclude ?? [];
  return (
    <>
      <div className="sentence">
        {w.ask.paths}
        <Choice label={w.ask.counted} value={s.count ?? 'users'} options={Object.entries(w.ask.pathCounts) as ['users' | 'sessions' | 'totals', string][]} onChange={(count) => set({ count: count === 'users' ? undefined : count })} />
        {w.ask.pathsDo} {w.ask.from}
        <AnchorWords label={w.ask.start} anchor={s.start} onChange={(start) => set({ start })} />
        {w.ask.to}
        <AnchorWords label={w.ask.end} anchor={s.end} onChange={(end) => set({ end })} />
        <span className="phrase">{w.ask.within}<WindowChoice value={s.window} usually={usual.pathWindow} onChange={(window) => set({ window })} /></span>
        <Who cohort={s.cohort} unit={s.unit} set={set} />
        <Where label={w.ask.whereAll} filter={s.filter} all={w.ask.everybody} onChange={(filter) => set({ filter })} />
        <By kind="paths" by={s.by} tops={false} set={set} />
      </div>
      <div className="sentence">
        <Choice label={w.ask.depth} value={String(s.depth ?? usual.depth)} options={[2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => [String(n), w.ask.depthOf(n)])} onChange={(n) => set({ depth: Number(n) })} />
        <Choice label={w.ask.top} value={String(s.top ?? usual.top)} options={[...new Set([3, 5, 8, 12, s.top ?? usual.top])].sort((a, b) => a - b).map((n) => [String(n), w.ask.nextOf(n)])} onChange={(n) => set({ top: Number(n) })} />
        <span className="phrase">{w.ask.node}<PropPicker label={w.ask.node} value={s.node} none={w.ask.nodeEvent} placeholder={w.ask.nodeEvent} onPick={(node) => set({ node, exclude: undefined })} /></span>
        <Choice label={w.ask.repeats} value={s.repeats ? 'apart' : 'collapsed'} options={Object.entries(w.ask.repeatsOf) as ['collapsed' | 'apart', string][]} onChange={(repeats) => set({ repeats: repeats === 'apart' || undefined })} />
        <span className="phrase">
          {left.length > 0 && w.ask.left}
          {left.map((node) => (
            <button key={node} type="button" className="chip" aria-label={w.picker.remove(node)} onClick={() => set({ exclude: left.length > 1 ? left.filter((x) => x !== node) : undefined })}><span className="truncate">{node}</span><IconX size={14} aria-hidden /></button>
          ))}
          {!s.node && <EventPicker label={w.ask.leave} value={undefined} placeholder={w.ask.leave} onPick={(event) => event !== undefined && set({ exclude: [...new Set([...left, event])] })} />}
        </span>
      </div>
    </>
  );
}

/** Where paths begin or end: an event with its conditions, a node, or anything. */
function AnchorWords({ label, anchor, onChange }: { label: string; anchor: Anchor | undefined; onChange: (anchor: Anchor | undefined) => void }) {
  if (anchor?.node !== undefined) return <button type="button" className="chip" aria-label={w.picker.remove(anchor.node)} onClick={() => onChange(undefined)}><span className="truncate">{anchor.node}</span><IconX size={14} aria-hidden /></button>;
  const { event, filter } = anchor ?? {};
  const change = (next: Anchor) => onChange(Object.keys(next).length > 0 ? next : undefined);
  return (
    <span className="phrase">
      <EventPicker label={label} value={event} any={w.ask.nothing} onPick={(picked) => change({ ...(picked !== undefined && { event: picked }), ...(filter && { filter }) })} />
      {anchor && <Where label={w.ask.whereOf(label)} filter={filter} onChange={(next) => change({ ...(event !== undefined && { event }), ...(next && { filter: next }) })} />}
    </span>
  );
}
