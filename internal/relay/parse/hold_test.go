package parse
import ("testing";"os";"strings")
func TestHeldIn(t *testing.T){
 d:=os.Getenv("SUB"); if d==""{t.Skip()}
 for _,sub:=range strings.Split(d,","){ n,h:=0,0
 files(t,func(path string,b []byte){ n++; m:=Parse(b,Limits{}); if weight(m)>=50 {h++; t.Logf("%s: %d %v",path,weight(m),m.Anomalies)}},sub)
 t.Logf("SUM %s %d/%d",sub,h,n)}
}
