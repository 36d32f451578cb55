import type { MetricsResult } from '@nimbus-analytics/sdk';
import { colorOf, type Series } from '../../charts/TimeChart';
import { bucketLabel, change, number, percent } from '../../format';
import { m } from '../../messages';
import { Delta } from '../../ui';

export function BigNumber({ result, before, large }: { result: MetricsResult; before: MetricsResult | undefined; large: boolean }) {
  return (
    <div className={large ? 'big large' : 'big'}>
      <span className="num">{number(result.total)}</span>
      {before && (
        <>
          <Delta value={change(result.total, before.total)} />
          <span className="muted small">{m.overview.previous(number(before.total))}</span>
        </>
      )}
    </div>
  );
}

/** Each group of a breakdown, with its part of the whole where parts add up. */
export function SeriesTable({ series, result }: { series: Series[]; result: MetricsResult }) {
  if (result.groups.length === 0) return null;
  const additive = result.metric === 'events.count' || result.metric.endsWith('.sum');
  const before = new Map(series.filter((s) => s.previous).map((s) => [s.key, s.total]));
  return (
    <div className="scroll-x">
      <table className="table compact">
        <thead>
          <tr>
            <th>{m.explore.series}</th>
            <th className="right">{m.explore.total}</th>
            {additive && <th className="right">{m.explore.shareOf}</th>}
            {before.size > 0 && <th className="right">{m.explore.previous}</th>}
          </tr>
        </thead>
        <tbody>
          {series.filter((s) => !s.previous).map((s) => (
            <tr key={s.key}>
              <td><span className="row"><i className="swatch" style={{ color: colorOf(s) }} /><span className="truncate">{s.label}</span></span></td>
              <td className="right">{number(s.total)}</td>
              {additive && <td className="right muted">{result.total ? percent((s.total ?? 0) / result.total) : '–'}</td>}
              {before.size > 0 && <td className="right"><Delta value={change(s.total, before.get(`${s.key} before`))} /> <span className="muted">{number(before.get(`${s.key} before`))}</span></td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Every bucket, the latest first. */
export function BucketTable({ result, series }: { result: MetricsResult; series: Series[] }) {
  const format = bucketLabel(result.bucket, result.tz, true);
  const open = result.meta.incomplete_from;
  return (
    <div className="scroll-x buckets" tabIndex={0} role="group" aria-label={m.explore.charts.table}>
      <table className="table compact">
        <thead>
          <tr>
            <th>{m.explore.time}</th>
            {series.map((s) => (
              <th key={s.key} className="right">{s.label}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {result.series.map((p, i) => ({ p, i })).reverse().map(({ p, i }) => (
            <tr key={p.ts}>
              <td className="num">{format(p.ts)} {open && Date.parse(p.ts) >= Date.parse(open) && <span className="badge">{m.explore.soFar}</span>}</td>
              {series.map((s) => (
                <td key={s.key} className={s.previous ? 'right muted' : 'right'}>{number(s.values[i])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
