/** How many of each interval: rows with a name, a bar and a number. */
import { useRef } from 'react';
import { useWidth } from '../../charts/useWidth';
import { number, percent } from '../../format';

export function HistogramBars({ label, bars }: { label: string; bars: readonly { label: string; count: number }[] }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const total = bars.reduce((sum, b) => sum + b.count, 0);
  const most = Math.max(1, ...bars.map((b) => b.count));
  const [left, right, row] = [112, 104, 26];
  const room = Math.max(1, width - left - right);
  return (
    <figure className="chart">
      <div ref={box} className="plot marks" role="img" aria-label={`${label}. ${bars.map((b) => `${b.label}: ${number(b.count)}`).join('; ')}`}>
        {width > 0 && (
          <svg width={width} height={row * bars.length} aria-hidden>
            {bars.map((b, i) => (
              <g key={b.label}>
                <text className="tick" x={left - 10} y={row * i + 17} textAnchor="end">{b.label}</text>
                <rect className="reached" x={left} y={row * i + 4} width={Math.max(b.count > 0 ? 1 : 0, (room * b.count) / most)} height={row - 8} rx={3} />
                <text className="tick" x={left + (room * b.count) / most + 8} y={row * i + 17} textAnchor="start">{`${number(b.count)}${total > 0 ? ` · ${percent(b.count / total)}` : ''}`}</text>
              </g>
            ))}
          </svg>
        )}
      </div>
    </figure>
  );
}
