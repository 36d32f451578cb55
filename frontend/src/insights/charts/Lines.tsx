/** The headline and the tables of trends. */
import type { Coordinate } from '@nimbus-analytics/sdk';
import { colorOf } from '../../charts/series';
import { bucketLabel, change, minuteOf, number, percent } from '../../format';
import { m } from '../../messages';
import { Compared } from '../../query/results';
import { Delta } from '../../ui';
import type { Trended } from '../ask';
import { written, type Line } from '../lines';
import { w } from '../messages';
import { NumberButton } from './NumberButton';
import '../../query/query.css';

type Open = ((at: Coordinate) => void) | undefined;

/** A number that opens the people behind it, where there can be some. */
function Value({ line, value, says, at, open }: { line: Line; value: number | null; says: string; at?: Coordinate; open: Open }) {
  const text = written(line.percent)(value);
  const { at: of } = line;
  return open && of && value !== null ? <NumberButton value={value} text={text} says={says} onOpen={() => open({ ...of, ...at })} /> : <>{text}</>;
}

const untilOf = (answer: Trended, tz: string) => answer.pair?.until && minuteOf(answer.pair.until, tz);

/** The total: one, or those of several measures side by side. */
export function Headline({ lines, answer, tz, large, open }: { lines: readonly Line[]; answer: Trended; tz: string; large: boolean; open: Open }) {
  const until = untilOf(answer, tz);
  const compared = (line: Line) => line.compared && <Compared now={line.compared.now} before={line.compared.before} until={until} format={written(line.percent)} />;
  const only = lines.length === 1 ? lines[0]! : undefined;
  if (only)
    return (
      <div className={large ? 'big large' : 'big'}>
        <span className="num"><Value line={only} value={only.total} says={only.label} open={open} /></span>
        <span className="muted small truncate">{only.label}</span>
        {compared(only)}
      </div>
    );
  return (
    <dl className="stats">
      {lines.map((line) => (
        <div key={line.key}>
          <dt><i className="swatch" style={{ color: colorOf(line) }} /> {line.label}</dt>
          <dd><span className="num"><Value line={line} value={line.total} says={line.label} open={open} /></span> <span className="small">{compared(line)}</span></dd>
        </div>
      ))}
    </dl>
  );
}

/** Each line with its total, with its share where the lines add up to a whole. */
export function LinesTable({ lines, answer, tz, whole, open }: { lines: readonly Line[]; answer: Trended; tz: string; whole: number | null | undefined; open: Open }) {
  const until = untilOf(answer, tz);
  const compared = lines.some((line) => line.compared);
  const shares = whole !== undefined && lines.every((line) => (line.total ?? 0) >= 0);
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label={m.explore.series}>
      <table className="table compact groups">
        <thead>
          <tr>
            <th>{m.explore.series}</th>
            <th className="right">{m.explore.total}</th>
            {shares && <th className="right">{m.explore.shareOf}</th>}
            {compared && <th className="right">{until === undefined ? m.explore.change : m.explore.changeSoFar(until)}</th>}
            {compared && <th className="right">{m.explore.before}</th>}
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.key}>
              <td><span className="row"><i className="swatch" style={{ color: colorOf(line) }} /><span className="truncate" title={line.label}>{line.label}</span></span></td>
              <td className="right"><Value line={line} value={line.total} says={line.label} open={open} /></td>
              {shares && <td className="right muted">{whole ? percent((line.total ?? 0) / whole) : '–'}</td>}
              {compared && <td className="right"><Delta value={change(line.compared?.now, line.compared?.before)} /></td>}
              {compared && <td className="right muted">{written(line.percent)(line.compared?.before)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const mostRows = 1000;

/** Every bucket, the latest first. */
export function BucketTable({ lines, answer, tz, open }: { lines: readonly Line[]; answer: Trended; tz: string; open: Open }) {
  const format = bucketLabel(answer.bucket, tz, true);
  const running = answer.meta.incomplete_from;
  const rows = answer.starts.map((start, i) => ({ start, i })).reverse();
  return (
    <>
      <div className="scroll-x buckets" tabIndex={0} role="group" aria-label={m.explore.charts.table}>
        <table className="table compact">
          <thead>
            <tr>
              <th>{m.explore.time}</th>
              {lines.map((line) => <th key={line.key} className="right"><span className="truncate" title={line.label}>{line.label}</span></th>)}
              {lines.filter((line) => line.before).map((line) => <th key={line.key} className="right"><span className="truncate">{w.trends.beforeOf(line.label)}</span></th>)}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, mostRows).map(({ start, i }) => (
              <tr key={start}>
                <td className="num nowrap">{format(start)} {running && Date.parse(start) === Date.parse(running) && <span className="badge">{m.explore.soFar}</span>}</td>
                {lines.map((line) => <td key={line.key} className="right"><Value line={line} value={line.values[i] ?? null} says={`${line.label}, ${format(start)}`} at={{ row: i }} open={open} /></td>)}
                {lines.filter((line) => line.before).map((line) => <td key={line.key} className="right muted">{written(line.percent)(line.before?.values[i])}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > mostRows && <p className="small muted">{m.explore.latestRows(number(mostRows), number(rows.length))}</p>}
    </>
  );
}
