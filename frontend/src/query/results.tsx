import type { MetricsResult } from '@nimbus-analytics/sdk';
import { colorOf, type Series } from '../charts/series';
import { bucketLabel, change, minuteOf, number, percent } from '../format';
import { m } from '../messages';
import { Delta } from '../ui';
import type { Comparison } from './compare';
import { isAdditive } from './question';
import './query.css';

/** The total, or that of the one series that is shown, and how it compares. */
export function BigNumber({ result, comparison, only, large }: { result: MetricsResult; comparison: Comparison | undefined; only?: Series | undefined; large: boolean }) {
  const totals = only ? only.compared : comparison && { now: comparison.now.total, before: comparison.before.total };
  const until = comparison?.until && minuteOf(comparison.until, result.tz);
  return (
    <div className={large ? 'big large' : 'big'}>
      <span className="num">{number(only ? only.total : result.total)}</span>
      {only && <span className="truncate"><i className="swatch" style={{ color: colorOf(only) }} /> {only.label}</span>}
      {totals && <Compared now={totals.now} before={totals.before} until={until} />}
    </div>
  );
}

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

/** The groups of a breakdown, with their share where the groups add up to the total. */
export function SeriesTable({ series, result, comparison }: { series: readonly Series[]; result: MetricsResult; comparison: Comparison | undefined }) {
  if (result.groups.length === 0) return null;
  const additive = isAdditive(result) && series.every((s) => (s.total ?? 0) >= 0);
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label={m.explore.series}>
      <table className="table compact groups">
        <thead>
          <tr>
            <th>{m.explore.series}</th>
            <th className="right">{m.explore.total}</th>
            {additive && <th className="right">{m.explore.shareOf}</th>}
            {comparison && <th className="right">{comparison.until === undefined ? m.explore.change : m.explore.changeSoFar(minuteOf(comparison.until, result.tz))}</th>}
            {comparison && <th className="right">{m.explore.before}</th>}
          </tr>
        </thead>
        <tbody>
          {series.map((s) => (
            <tr key={s.key}>
              <td><span className="row"><i className="swatch" style={{ color: colorOf(s) }} /><span className="truncate" title={s.label}>{s.label}</span></span></td>
              <td className="right">{number(s.total)}</td>
              {additive && <td className="right muted">{result.total ? percent((s.total ?? 0) / result.total) : '–'}</td>}
              {comparison && <td className="right"><Delta value={change(s.compared?.now, s.compared?.before)} /></td>}
              {comparison && <td className="right muted">{number(s.compared?.before)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const mostRows = 1000;

/** Every bucket, the latest first. */
export function BucketTable({ result, series }: { result: MetricsResult; series: readonly Series[] }) {
  const format = bucketLabel(result.bucket, result.tz, true);
  const open = result.meta.incomplete_from;
  const columns = series.flatMap((s) => [{ key: s.key, label: s.label, values: s.values, old: false }, ...(s.before ? [{ key: `${s.key} before`, label: `${s.label}, ${m.explore.previous}`, values: s.before.values, old: true }] : [])]);
  const rows = result.series.map((p, i) => ({ p, i })).reverse();
  return (
    <>
      <div className="scroll-x buckets" tabIndex={0} role="group" aria-label={m.explore.charts.table}>
        <table className="table compact">
          <thead>
            <tr>
              <th>{m.explore.time}</th>
              {columns.map((c) => (
                <th key={c.key} className="right"><span className="truncate" title={c.label}>{c.label}</span></th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, mostRows).map(({ p, i }) => (
              <tr key={p.ts}>
                <td className="num nowrap">{format(p.ts)} {open && Date.parse(p.ts) === Date.parse(open) && <span className="badge">{m.explore.soFar}</span>}</td>
                {columns.map((c) => (
                  <td key={c.key} className={c.old ? 'right muted' : 'right'}>{number(c.values[i])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > mostRows && <p className="small muted">{m.explore.latestRows(number(mostRows), number(rows.length))}</p>}
    </>
  );
}
