// Adapter: a picture of this device, made small enough for the agent. The only file that touches a canvas.

/** Longest edge in pixels; the model looks no closer, and each picture is paid for with every answer. */
export const EDGE = 1024;
/** The agent takes no longer files. */
export const LONGEST = 350_000; // bytes
/** From good to poor, until the file is short enough. */
const QUALITIES = [0.85, 0.7, 0.5, 0.3];

/** What is chosen is no picture, or one that this browser cannot read. */
export class PictureError extends Error {}

export async function shrink(file: Blob): Promise<File> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new PictureError('unreadable');
  });
  try {
    const canvas = draw(bitmap);
    for (const quality of QUALITIES) {
      const blob = await toJpeg(canvas, quality);
      if (blob && blob.size <= LONGEST) return new File([blob], 'picture.jpg', { type: 'image/jpeg' });
    }
    throw new PictureError('too large');
  } finally {
    bitmap.close();
  }
}

/** Width and height with the longest edge at most EDGE. */
export function fit(width: number, height: number): [number, number] {
  const scale = Math.min(1, EDGE / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

function draw(bitmap: ImageBitmap): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = fit(bitmap.width, bitmap.height);
  const pen = canvas.getContext('2d');
  if (!pen) throw new PictureError('no canvas');
  pen.fillStyle = 'white'; // JPEG knows no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function toJpeg(canvas: HTMLCanvasElement, quality: number): Promise<Blob | null> {
  return new Promise((done) => canvas.toBlob(done, 'image/jpeg', quality));
}
