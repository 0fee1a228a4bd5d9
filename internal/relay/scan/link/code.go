package link

import (
	"bytes"
	"context"
	"image"
	"image/color"
	_ "image/gif"  // decoder
	_ "image/jpeg" // decoder
	_ "image/png"  // decoder
	"strings"

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Bounds on looking for QR codes, which costs some 10 ms a megapixel.
const (
	maxPictures = 8
	minSide     = 60        // pixels; smaller codes cannot be scanned by a telephone
	maxPixels   = 6_000_000 // of one picture
	maxSum      = 12_000_000
)

// codes judges the QR codes in a message's pictures. What cannot be decoded is no
// code.
func (j *judge) codes(ctx context.Context) error {
	pictures, sum := 0, 0
	for i := range j.msg.Parts {
		p := &j.msg.Parts[i]
		if !isPicture(p.Data) || p.Truncated {
			continue
		}
		cfg, _, err := image.DecodeConfig(bytes.NewReader(p.Data))
		pixels := cfg.Width * cfg.Height
		if err != nil || cfg.Width < minSide || cfg.Height < minSide || cfg.Width > 10000 || cfg.Height > 10000 || pixels > maxPixels || !couldBeCode(cfg) {
			continue
		}
		if pictures++; pictures > maxPictures || sum+pixels > maxSum {
			return nil
		}
		sum += pixels
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, text := range readCodes(p.Data) {
			j.code(text, p)
		}
	}
	return nil
}

func isPicture(d []byte) bool {
	return bytes.HasPrefix(d, []byte("\x89PNG\r\n")) || bytes.HasPrefix(d, []byte("\xff\xd8\xff")) || bytes.HasPrefix(d, []byte("GIF8"))
}

// couldBeCode leaves out banners and lines.
func couldBeCode(c image.Config) bool {
	return c.Width <= 8*c.Height && c.Height <= 12*c.Width
}

// readCodes are the texts of all codes in a picture. It tries it as it is and
// inverted, each with two ways to tell black from white.
func readCodes(data []byte) (texts []string) {
	defer func() { _ = recover() }() // a decoder's fault costs the code, not the message
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	gray := toGray(img)
	if edges(gray) < minEdges {
		return nil
	}
	plain := gozxing.NewLuminanceSourceFromImage(gray)
	for _, src := range []gozxing.LuminanceSource{plain, plain.Invert()} {
		for _, bin := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(src), gozxing.NewGlobalHistgramBinarizer(src)} {
			if texts := decode(bin); len(texts) > 0 {
				return texts
			}
		}
	}
	return nil
}

func decode(bin gozxing.Binarizer) (texts []string) {
	bmp, err := gozxing.NewBinaryBitmap(bin)
	if err != nil {
		return nil
	}
	results, err := multi.NewQRCodeMultiReader().DecodeMultiple(bmp, nil)
	if err != nil {
		return nil
	}
	for _, r := range results[:min(len(results), 10)] {
		texts = append(texts, r.GetText())
	}
	return texts
}

// minEdges is less than the smallest code has: 21 rows of modules, each at least
// two pixels high, with seven changes of colour.
const minEdges = 21 * 2 * 7

// edges counts changes from dark to light and back along the rows. Photographs
// and most logos have few.
func edges(g *image.Gray) int {
	n := 0
	for y := 0; y < g.Rect.Dy(); y++ {
		row := g.Pix[y*g.Stride : y*g.Stride+g.Rect.Dx()]
		last := row[0]
		for _, v := range row[1:] {
			if d := int(v) - int(last); d > 70 || d < -70 {
				n++
				last = v
			} else if d > -20 && d < 20 {
				last = v
			}
		}
	}
	return n
}

// toGray is the brightness of img on white, as mail programs show it.
func toGray(img image.Image) *image.Gray {
	b := img.Bounds()
	g := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	switch m := img.(type) {
	case *image.YCbCr: // JPEG: brightness is stored as such
		for y := range b.Dy() {
			copy(g.Pix[y*g.Stride:][:b.Dx()], m.Y[y*m.YStride:])
		}
		return g
	case *image.Gray:
		for y := range b.Dy() {
			copy(g.Pix[y*g.Stride:][:b.Dx()], m.Pix[y*m.Stride:])
		}
		return g
	case *image.Paletted:
		var level [256]uint8
		for i, c := range m.Palette {
			level[i] = brightness(c)
		}
		for y := range b.Dy() {
			for x, v := range m.Pix[y*m.Stride:][:b.Dx()] {
				g.Pix[y*g.Stride+x] = level[v]
			}
		}
		return g
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			g.Pix[y*g.Stride+x] = brightness(img.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return g
}

func brightness(c color.Color) uint8 {
	r, g, b, a := c.RGBA()
	white := 0xffff - a
	return uint8((299*(r+white) + 587*(g+white) + 114*(b+white)) / 1000 >> 8)
}

// scanWords tell the reader to take out his telephone.
var scanWords = []string{"scan the", "scan this", "scan qr", "scan below", "qr code", "qr-code", "qrcode", "scannen sie", "scannez", "escanee", "escanea", "your phone", "mobile device", "camera"}

// code judges the text of one code.
func (j *judge) code(text string, p *mail.Part) {
	t, ok := scan.ParseTarget(text)
	if !ok || t.Scheme != "http" && t.Scheme != "https" {
		return
	}
	l := mail.Link{URL: text, Kind: "qr", Path: p.Path}
	j.link(l)
	score := 10
	if j.bait() {
		score = 50
		folded := j.about.Folded(j.msg)
		for _, w := range scanWords {
			if strings.Contains(folded, w) {
				score = 60
			}
		}
	}
	if org := scan.Organization(t.Host); org == j.org {
		score = 5
	}
	j.add("qr", mail.Phish, score, p.Path, "A picture holds a QR code that leads to %s, past any filter and onto the reader's telephone.", t.Host)
}
