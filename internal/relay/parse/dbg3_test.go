package parse
import ("testing";"os";"fmt";"bytes";"github.com/jhillyerd/enmime/v2")
func TestEnm(t *testing.T){ f:=os.Getenv("E"); if f==""{t.Skip()}
 b,_:=os.ReadFile(f); env,_:=enmime.ReadEnvelope(bytes.NewReader(b))
 for _, list := range [][]*enmime.Part{env.Attachments, env.Inlines, env.OtherParts} { for _,p:=range list { fmt.Printf("ENM %s %s %d\n%.1500s\n=====\n",p.ContentType,p.FileName,len(p.Content),p.Content)}}
}
