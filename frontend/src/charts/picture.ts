/** A chart as a PNG that explains itself: with its question, its range and its series. */
import { colorOf, type Series } from './series';
import { download } from '../lib/download';
import { m } from '../messages';

const scale = 2;
const margin = 24;
const titleRow = 22;
const row = 22;

/** Saves the picture of a drawing. */
export const savePicture = async (name: string, ...of: Parameters<typeof picture>) => download(name, await picture(...of));

async function picture(svg: SVGSVGElement, { title, subtitle, series }: { title: string; subtitle: string; series: readonly Pick<Series, 'label' | 'color' | 'before'>[] }): Promise<Blob> {
  const { width, height } = svg.getBoundingClientRect();
  const panel = svg.closest('.panel') ?? document.body;
  const look = lookIn(panel);
  const font = getComputedStyle(panel).fontFamily;

  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d')!;
  context.font = `12.5px ${font}`;
  const compared = series.some((s) => s.before);
  const entries = [...(series.length > 1 ? series.map((s) => ({ label: s.label, color: look(colorOf(s)), old: false })) : []), ...(compared ? [{ label: m.explore.periodBefore, color: look('var(--muted)'), old: true }] : [])]
    .map((e) => ({ ...e, label: fitted(context, e.label, 240) }));
  const places = placed(entries.map((e) => context.measureText(e.label).width + 36), width);
  const rows = places.length > 0 ? places.at(-1)!.row + 1 : 0;
  context.font = `600 16px ${font}`;
  const titles = lines(context, title, width, 4);
  const head = 40 + titles.length * titleRow;
  const total = { width: width + 2 * margin, height: head + height + rows * row + margin };

  canvas.width = total.width * scale;
  canvas.height = total.height * scale;
  context.scale(scale, scale);
  context.fillStyle = getComputedStyle(panel).backgroundColor;
  context.fillRect(0, 0, total.width, total.height);
  const write = (text: string, x: number, y: number, style: string, color: string, align: CanvasTextAlign = 'left') => {
    context.font = `${style} ${font}`;
    context.fillStyle = color;
    context.textAlign = align;
    context.fillText(text, x, y);
  };
  titles.forEach((line, i) => write(line, margin, 32 + i * titleRow, '600 16px', look('var(--text)')));
  write(subtitle, margin, 29 + titles.length * titleRow, '12.5px', look('var(--muted)'));
  context.drawImage(await image(svg), margin, head, width, height);
  // An SVG drawn as an image cannot use the page's fonts: its texts are drawn onto the canvas.
  const anchors: Record<string, CanvasTextAlign> = { start: 'left', middle: 'center', end: 'right' };
  for (const text of svg.querySelectorAll('text')) {
    const at = (name: string) => Number(text.getAttribute(name));
    const { fontWeight, fontSize, fill, textAnchor } = getComputedStyle(text);
    write(text.textContent, margin + at('x'), head + at('y') + (text.hasAttribute('dy') ? 4 : 0), `${fontWeight} ${fontSize}`, fill, anchors[textAnchor] ?? 'left');
  }
  entries.forEach((entry, i) => {
    const x = margin + places[i]!.x;
    const y = head + height + 18 + places[i]!.row * row;
    context.fillStyle = entry.color;
    if (entry.old) for (const dash of [0, 4, 8]) context.fillRect(x + dash, y - 5, 2.5, 2);
    else context.fillRect(x, y - 9, 10, 10);
    write(entry.label, x + 17, y, '12.5px', look('var(--text)'));
  });
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no image'))), 'image/png'));
}

/** The shapes without the texts, with their computed colours. */
async function image(svg: SVGSVGElement): Promise<HTMLImageElement> {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const originals = svg.querySelectorAll('*');
  copy.querySelectorAll('*').forEach((element, i) => {
    if (element.tagName === 'text') return;
    const style = getComputedStyle(originals[i]!);
    // Set as attributes: the Content-Security-Policy forbids inline styles.
    for (const name of ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-opacity', 'fill-opacity', 'opacity']) element.setAttribute(name, style.getPropertyValue(name));
    element.removeAttribute('class');
    element.removeAttribute('role');
  });
  copy.querySelectorAll('text').forEach((text) => text.remove());
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const drawn = new Image();
  drawn.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await drawn.decode();
  return drawn;
}

/** Computes what a colour of the style sheet is at this place, in this theme. */
function lookIn(place: Element) {
  const probe = document.createElement('span');
  return (color: string) => {
    probe.style.color = color;
    place.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
}

function fitted(context: Pick<CanvasRenderingContext2D, 'measureText'>, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end--;
  return `${text.slice(0, end)}…`;
}

/** A text in at most so many lines, broken between words. Conditions stand at the end of a title: it must not be cut after one line. */
export function lines(context: Pick<CanvasRenderingContext2D, 'measureText'>, text: string, width: number, most: number): string[] {
  const broken: string[] = [];
  for (const word of text.split(' ')) {
    const longer = broken.length === 0 ? word : `${broken.at(-1)} ${word}`;
    if (broken.length > 0 && context.measureText(longer).width <= width) broken[broken.length - 1] = longer;
    else broken.push(word);
  }
  return [...broken.slice(0, most - 1), ...(broken.length >= most ? [broken.slice(most - 1).join(' ')] : [])].map((line) => fitted(context, line, width));
}

/** Positions of entries of these widths, wrapped into rows. */
export function placed(widths: readonly number[], width: number): { x: number; row: number }[] {
  let x = 0;
  let at = 0;
  return widths.map((w) => {
    if (x > 0 && x + w > width) {
      x = 0;
      at++;
    }
    const place = { x, row: at };
    x += w;
    return place;
  });
}
