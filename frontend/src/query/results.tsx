import { change, number } from '../format';
import { m } from '../messages';
import { Delta } from '../ui';
import './query.css';

/** The change, and the pair of numbers that it is the change of: while a period runs, neither is the total. */
export function Compared({ now, before, until, format = number }: { now: number | null | undefined; before: number | null | undefined; until: string | undefined; format?: (n: number | null | undefined) => string }) {
  const delta = <Delta value={change(now, before)} />;
  if (until === undefined) return <>{delta}<span className="muted small">{m.explore.compared(format(before))}</span></>;
  return (
    <span className="pair small" title={m.explore.soFarHelp(format(now), format(before), until)}>
      <span>{m.explore.soFarNow(format(now), until)}</span> {delta} <span className="muted">· {m.explore.soFarThen(format(before))}</span>
    </span>
  );
}
